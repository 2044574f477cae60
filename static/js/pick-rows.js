// <pick-rows>: a table with a checkbox a row and a bar below it. Adds a checkbox for the whole page, a range with Shift, and
// the count; the bar is seen once something is picked (CSS, pick-rows:defined). Without scripts the bar is always there.
customElements.define("pick-rows", class PickRows extends HTMLElement {
  #last = null;

  connectedCallback() {
    const all = this.querySelector("thead .table__pick input");
    if (!all) return;
    all.parentElement.hidden = false;
    this.addEventListener("click", (event) => {
      const box = event.target;
      if (!box.matches?.("tbody .table__pick input")) return;
      const boxes = this.boxes;
      if (event.shiftKey && this.#last) {
        const [from, to] = [boxes.indexOf(this.#last), boxes.indexOf(box)].sort((a, b) => a - b);
        for (const each of boxes.slice(from, to + 1)) each.checked = box.checked;
      }
      this.#last = box;
    });
    this.addEventListener("change", (event) => {
      if (event.target === all) for (const box of this.boxes) box.checked = all.checked;
      this.#count(all);
    });
    this.#count(all);
  }

  get boxes() {
    return [...this.querySelectorAll("tbody .table__pick input")];
  }

  #count(all) {
    const number = this.boxes.filter((box) => box.checked).length;
    all.checked = number > 0 && number === this.boxes.length;
    all.indeterminate = number > 0 && !all.checked;
    const said = this.querySelector(".bulk-bar__count");
    if (said) said.textContent = number === 1 ? said.dataset.one : said.dataset.many.replace("#", number);
  }
});
