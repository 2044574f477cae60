// Keys of the back office: "/" goes to the list's search or to the one on top, "g" and the first letter of an entry of
// the navigation goes there ("g o": Orders), a letter of its own belongs to what says data-key ("j", "k": the next and
// the previous of a list).
(() => {
  const typing = (at) => at?.closest?.("input, textarea, select, [contenteditable]");
  let leading = 0;

  const entries = () => {
    const taken = new Map();
    for (const link of document.querySelectorAll(".office__nav .office__link")) {
      const letter = [...link.textContent.trim().toLowerCase()].find((char) => /[a-z]/.test(char) && !taken.has(char));
      if (letter) taken.set(letter, link);
    }
    return taken;
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const [letter, link] of entries()) {
      link.setAttribute("aria-keyshortcuts", `g ${letter}`);
      link.title = `g ${letter}`;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "/") {
      const all = [...document.querySelectorAll("[data-shortcut='/']")];
      const field = all.find((one) => one.closest("main")) ?? all[0];
      if (!field) return;
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "g") {
      leading = event.timeStamp;
    } else if (leading && event.timeStamp - leading < 1500) {
      leading = 0;
      entries().get(event.key.toLowerCase())?.click();
    } else if (/^[a-z]$/.test(event.key)) {
      document.querySelector(`main [data-key="${event.key}"]`)?.click();
    }
  });
})();
