// <option-rows>: rows of options that are added as the last one is filled, removed, and moved by drag or arrow keys.
// Without scripts an empty row stands at the end, and a row without words is taken away.
customElements.define("option-rows", class extends HTMLElement {
  #moving = null;

  connectedCallback() {
    this.addEventListener("input", (event) => this.#grow(event.target.closest("li")));
    this.addEventListener("click", (event) => {
      const row = event.target.closest(".options-editor__remove")?.closest("li");
      if (!row || row === this.rows.at(-1)) return;
      const next = row.nextElementSibling;
      row.remove();
      next.querySelector("input").focus();
      this.#told();
    });
    this.addEventListener("keydown", (event) => {
      const row = event.target.closest(".grip")?.closest("li");
      const other = { ArrowUp: row?.previousElementSibling, ArrowDown: row?.nextElementSibling }[event.key];
      if (event.key === "Enter" && event.target.name?.endsWith(".label")) {
        event.preventDefault();
        event.target.closest("li").nextElementSibling?.querySelector("input").focus();
      }
      if (!row || !other || other === this.rows.at(-1)) return;
      event.preventDefault();
      if (event.key === "ArrowUp") other.before(row);
      else other.after(row);
      event.target.focus();
      this.#told();
    });
    this.addEventListener("pointerdown", (event) => {
      const row = event.target.closest(".grip")?.closest("li");
      if (row) row.draggable = true;
    });
    this.addEventListener("dragstart", (event) => {
      event.stopPropagation();
      this.#moving = event.target.closest("li");
    });
    this.addEventListener("dragover", (event) => {
      const over = event.target.closest("li");
      if (!this.#moving || !over || over === this.#moving) return;
      event.preventDefault();
      const { top, height } = over.getBoundingClientRect();
      if (event.clientY < top + height / 2) over.before(this.#moving);
      else if (over !== this.rows.at(-1)) over.after(this.#moving);
    });
    this.addEventListener("drop", (event) => event.preventDefault());
    this.addEventListener("dragend", () => {
      if (!this.#moving) return;
      this.#moving.draggable = false;
      this.#moving = null;
      this.#told();
    });
  }

  get rows() {
    return [...this.querySelectorAll("li")];
  }

  // The last row was begun: another empty one comes after it.
  #grow(row) {
    if (row !== this.rows.at(-1) || !row.querySelector("input").value) return;
    const empty = row.cloneNode(true);
    for (const input of empty.querySelectorAll("input")) {
      input.value = "";
      input.removeAttribute("value");
    }
    empty.querySelector("details").open = false;
    row.after(empty);
  }

  #told() {
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }
});
