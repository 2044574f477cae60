// Fields dragged from the palette into the form of a <form-builder>; dropped, they are added by the palette's own button.
{
  let dragged = null, after = null;

  const mark = (block) => {
    after?.classList.remove("block--drop");
    after = block;
    block?.classList.add("block--drop");
  };

  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("form-builder .palette__item");
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData("text/plain", dragged.value);
  });

  document.addEventListener("dragover", (event) => {
    const canvas = dragged && event.target.closest(".builder__canvas");
    if (!canvas) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    const line = canvas.querySelector(".builder__list").clientWidth;
    const above = [...canvas.querySelectorAll("[data-row]")].filter((row) => {
      const { left, top, bottom, width, height } = row.getBoundingClientRect();
      const beside = width < line * 0.9 && event.clientY > top && event.clientY < bottom;
      return beside ? event.clientX > left + width / 2 : event.clientY > top + height / 2;
    });
    mark(above.at(-1) ?? canvas.querySelector(".block--head"));
  });

  document.addEventListener("drop", (event) => {
    if (!dragged || !after) return;
    event.preventDefault();
    const item = dragged;
    item.form.elements.after.value = after.dataset.row ?? "-";
    mark(null);
    dragged = null;
    item.form.requestSubmit(item);
  });

  document.addEventListener("dragend", () => {
    mark(null);
    dragged = null;
  });
}
