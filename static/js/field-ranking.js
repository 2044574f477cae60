// <field-ranking>: rows that are moved up and down, by button or by dragging; places are given from the top.
customElements.define("field-ranking", class extends HTMLElement {
  connectedCallback() {
    this.list = this.querySelector("ol");
    this.places = this.list.querySelector("select")?.options.length - 1 || 0;
    this.hasOrder = [...this.list.querySelectorAll("select")].some((select) => select.value);
    const rows = [...this.list.children];
    const rank = (row) => Number(row.querySelector("select").value) || 99;
    rows.sort((one, other) => rank(one) - rank(other)).forEach((row) => this.dress(row));
    this.list.append(...rows);
    if (this.hasOrder) this.number();
  }

  dress(row) {
    row.querySelector("select").hidden = true;
    row.draggable = true;
    const place = document.createElement("span");
    place.className = "ranking__place";
    row.prepend(place);
    for (const [word, step, sign] of [[this.dataset.up, -1, "↑"], [this.dataset.down, 1, "↓"]]) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "btn btn--small btn--plain", textContent: sign });
      button.setAttribute("aria-label", `${word}: ${row.querySelector("label").textContent}`);
      button.addEventListener("click", () => { this.move(row, step); button.focus(); });
      row.append(button);
    }
    row.addEventListener("dragstart", () => { this.dragged = row; });
    row.addEventListener("dragover", (event) => event.preventDefault());
    row.addEventListener("drop", (event) => {
      event.preventDefault();
      if (!this.dragged || this.dragged === row) return;
      const rows = [...this.list.children];
      row[rows.indexOf(this.dragged) < rows.indexOf(row) ? "after" : "before"](this.dragged);
      this.number();
    });
  }

  move(row, step) {
    if (step < 0) row.previousElementSibling?.before(row);
    else row.nextElementSibling?.after(row);
    this.number();
  }

  number() {
    [...this.list.children].forEach((row, at) => {
      const isOut = at >= this.places;
      row.querySelector("select").value = isOut ? "" : String(at + 1);
      row.querySelector(".ranking__place").textContent = isOut ? "" : String(at + 1);
      row.classList.toggle("ranking__row--out", isOut);
    });
    this.list.querySelector("select").dispatchEvent(new Event("input", { bubbles: true }));
  }
});
