// <form-builder>: fields dragged from the palette into the form, Ctrl+Z and Ctrl+Shift+Z, Delete on the chosen field.
// Adding, undoing and removing are buttons of forms, which is what works without scripts.
customElements.define("form-builder", class extends HTMLElement {
  #dragged = null;
  #after = null;

  connectedCallback() {
    this.addEventListener("dragstart", (event) => this.#start(event));
    this.addEventListener("dragover", (event) => this.#over(event));
    this.addEventListener("drop", (event) => this.#drop(event));
    this.addEventListener("dragend", () => this.#mark(null));
    this.onkey = (event) => this.#key(event);
    document.addEventListener("keydown", this.onkey);
    this.addEventListener("click", (event) => {
      if (!event.target.closest(".block__pick")) return;
      // Where the panel stands below the form it is brought into view once it is there.
      const seen = () => {
        const panel = this.querySelector("#properties");
        if (panel && innerWidth < 1024) panel.scrollIntoView({ block: "start" });
      };
      document.addEventListener("htmx:after:swap", () => setTimeout(seen), { once: true });
    });
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.onkey);
  }

  #start(event) {
    const item = event.target.closest?.(".palette__item");
    if (!item) return;
    this.#dragged = item;
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData("text/plain", item.value);
  }

  #over(event) {
    if (!this.#dragged || !event.target.closest(".builder__canvas")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    const rows = [...this.querySelectorAll(".builder__canvas [data-row]")];
    const above = rows.filter((row) => {
      const { top, height } = row.getBoundingClientRect();
      return event.clientY > top + height / 2;
    });
    this.#mark(above.at(-1) ?? this.querySelector(".block--head"));
  }

  #mark(block) {
    this.#after?.classList.remove("block--drop");
    this.#after = block;
    block?.classList.add("block--drop");
  }

  #drop(event) {
    const item = this.#dragged;
    if (!item || !this.#after) return;
    event.preventDefault();
    item.form.elements.after.value = this.#after.dataset.row ?? "-";
    this.#mark(null);
    this.#dragged = null;
    item.form.requestSubmit(item);
  }

  #key(event) {
    const typing = event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (typing) return;
    const key = event.key.toLowerCase();
    const press = (selector) => {
      const button = this.querySelector(selector);
      if (!button || button.disabled) return;
      event.preventDefault();
      button.form.requestSubmit(button);
    };
    if ((event.ctrlKey || event.metaKey) && key === "z") press(event.shiftKey ? "[data-redo]" : "[data-undo]");
    else if ((event.ctrlKey || event.metaKey) && key === "y") press("[data-redo]");
    else if (key === "delete" && event.target.closest?.(".block--picked")) press(".block--picked [data-remove]");
  }
});
