// <field-chosen>: the head of a folded list tells what is ticked in it; Escape folds it.
customElements.define("field-chosen", class extends HTMLElement {
  connectedCallback() {
    const fold = this.querySelector("details");
    const head = this.querySelector("summary");
    const say = () => {
      const ticked = [...this.querySelectorAll("input:checked")].map((box) => box.nextElementSibling.textContent);
      head.textContent = ticked.join(", ") || head.dataset.empty;
    };
    this.addEventListener("change", say);
    this.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !fold.open) return;
      fold.open = false;
      head.focus();
    });
    say();
  }
});
