// <field-repeater>: shows the rows that are filled in and as many as must be; a button brings the next. Without scripts all
// rows that may be filled in are there.
customElements.define("field-repeater", class extends HTMLElement {
  connectedCallback() {
    this.rows = [...this.querySelectorAll(":scope > .rowset")];
    this.rows.forEach((row, at) => {
      const remove = document.createElement("button");
      Object.assign(remove, { type: "button", className: "btn btn--small btn--plain rowset__remove", textContent: "×" });
      remove.setAttribute("aria-label", this.dataset.remove);
      remove.addEventListener("click", () => this.remove(row));
      row.append(remove);
      row.hidden = at >= this.dataset.least && ![...row.querySelectorAll("input, select")].some((cell) => cell.value);
    });
    this.more = document.createElement("button");
    Object.assign(this.more, { type: "button", className: "btn btn--small", textContent: this.dataset.add });
    this.more.addEventListener("click", () => this.add());
    this.append(this.more);
    this.settle();
  }

  add() {
    const row = this.rows.find((each) => each.hidden);
    if (!row) return;
    this.more.before(row);
    row.hidden = false;
    row.querySelector("input, select").focus();
    this.settle();
  }

  remove(row) {
    for (const cell of row.querySelectorAll("input, select")) cell.value = "";
    row.hidden = true;
    row.querySelector("input, select").dispatchEvent(new Event("input", { bubbles: true }));
    this.settle();
    this.more.hidden || this.more.focus();
  }

  settle() {
    const seen = this.rows.filter((row) => !row.hidden).length;
    this.more.hidden = seen === this.rows.length;
    for (const row of this.rows) row.querySelector(".rowset__remove").hidden = seen <= this.dataset.least;
  }
});
