// <reorder-list>: rows that can be moved by dragging their grip, and by arrow keys on it. Every row (an element with
// data-row="<id>") holds real Up and Down buttons in a form, which is what works without scripts; they stay for readers.
// A finished move posts the whole order to the attribute url: row=<id>&row=<id>…, plus list=<id of the list it is in>,
// and sends the event "reordered" up the page. Which of grip and buttons is seen follows from reorder-list:defined in CSS.
// Several <reorder-list group="lessons"> may share rows.
customElements.define("reorder-list", class ReorderList extends HTMLElement {
  static moving = null;

  connectedCallback() {
    this.addEventListener("pointerdown", (event) => {
      const row = event.target.closest(".grip") && this.#row(event.target);
      if (row) row.draggable = true;
    });
    this.addEventListener("dragstart", (event) => this.#start(event));
    this.addEventListener("dragover", (event) => this.#over(event));
    this.addEventListener("drop", (event) => event.preventDefault());
    this.addEventListener("dragend", () => this.#end());
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  get rows() {
    return [...this.querySelectorAll("[data-row]")].filter((row) => row.closest("reorder-list") === this);
  }

  #row(inside) {
    const row = inside.closest?.("[data-row]");
    return row?.closest("reorder-list") === this ? row : null;
  }

  // Where a thing of an inner list lies among our own rows.
  #around(inside) {
    let row = inside.closest?.("[data-row]");
    while (row && row.closest("reorder-list") !== this) row = row.parentElement.closest("[data-row]");
    return row;
  }

  #start(event) {
    const row = this.#row(event.target);
    if (!row?.draggable) return;
    ReorderList.moving = row;
    row.classList.add("editor__row--moving");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", row.dataset.row);
  }

  #over(event) {
    const row = ReorderList.moving;
    const from = row?.closest("reorder-list");
    if (!row || from.getAttribute("group") !== this.getAttribute("group")) return;
    event.preventDefault();
    const over = this.#around(event.target);
    if (!over && !this.rows.length) this.firstElementChild.append(row);
    if (!over || over === row) return;
    const { top, height } = over.getBoundingClientRect();
    if (event.clientY < top + height / 2) over.before(row);
    else over.after(row);
  }

  #end() {
    const row = ReorderList.moving;
    if (!row) return;
    row.classList.remove("editor__row--moving");
    row.draggable = false;
    ReorderList.moving = null;
    row.closest("reorder-list").save(row);
  }

  #key(event) {
    const row = event.target.closest(".grip") && this.#row(event.target);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!row || !step) return;
    event.preventDefault();
    const other = this.rows[this.rows.indexOf(row) + step];
    if (!other) return;
    if (step < 0) other.before(row);
    else other.after(row);
    event.target.focus();
    this.save(row);
  }

  async save(row) {
    const body = new URLSearchParams(this.rows.map((each) => ["row", each.dataset.row]));
    if (this.getAttribute("list")) body.append("list", this.getAttribute("list"));
    const said = document.getElementById("announce");
    try {
      const answer = await fetch(this.getAttribute("url"), { method: "POST", body, redirect: "manual" });
      if (answer.status >= 400) throw new Error(answer.status);
      this.dispatchEvent(new CustomEvent("reordered", { bubbles: true }));
      if (said) said.textContent = (row.dataset.name ?? "") + " " + (this.rows.indexOf(row) + 1) + "/" + this.rows.length;
    } catch {
      location.reload(); // The order on the page is no longer the order that is kept.
    }
  }
});
