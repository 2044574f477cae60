// Keys of a <form-builder>. On a field of the form: arrows go to the next, with Alt they move it, Delete removes it, Ctrl+D
// duplicates it, Enter opens its properties. In the properties Escape goes back to the field, Ctrl+Enter to the palette.
// Ctrl+Z undoes, Ctrl+Shift+Z does it again.
{
  // As the grip does, and back to the field.
  const move = (row, key) => {
    row.querySelector(".grip")?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    row.querySelector(".block__pick").focus();
  };

  const walk = (event, row, key) => {
    event.preventDefault();
    if (event.altKey) return move(row, event.key);
    const other = key === "arrowup" ? row.previousElementSibling : row.nextElementSibling;
    (other ?? row).querySelector(".block__pick").focus();
  };

  document.addEventListener("keydown", (event) => {
    const builder = document.querySelector("form-builder");
    if (!builder || !event.key) return;
    const key = event.key.toLowerCase(), control = event.ctrlKey || event.metaKey;
    const inPanel = event.target.closest?.("#properties");
    if (inPanel && key === "escape") return builder.querySelector(".block--picked > .block__pick")?.focus();
    if (inPanel && control && key === "enter") {
      event.preventDefault();
      return builder.querySelector("#palette-q")?.focus();
    }
    if (event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]")) return;
    const press = (selector, place = builder) => {
      const button = place.querySelector(selector);
      if (!button || button.disabled) return;
      event.preventDefault();
      button.click();
    };
    if (control && key === "z") return press(event.shiftKey ? "[data-redo]" : "[data-undo]");
    if (control && key === "y") return press("[data-redo]");
    const row = event.target.closest?.(".builder__list > [data-row]");
    if (!row || !builder.contains(row)) return;
    if (key === "delete") press("[data-remove]", row);
    else if (control && key === "d") press("[data-copy]", row);
    else if (event.target.matches(".block__pick") && (key === "arrowup" || key === "arrowdown")) walk(event, row, key);
  });
}
