// <field-chain>: each list offers only what follows from the one before. Without scripts all of it is there, in groups.
customElements.define("field-chain", class extends HTMLElement {
  connectedCallback() {
    this.lists = [...this.querySelectorAll("select")];
    this.whole = this.lists.map((list) => [...list.children].map((child) => child.cloneNode(true)));
    this.addEventListener("change", () => this.narrow());
    this.narrow();
  }

  narrow() {
    const path = [];
    this.lists.forEach((list, depth) => {
      if (depth) {
        const kept = list.value;
        const under = path.join(" > ");
        const fits = this.whole[depth].filter((child) => child.tagName === "OPTION" || child.label === under);
        list.replaceChildren(...fits.flatMap((child) => (child.tagName === "OPTION" ? [child] : [...child.children]))
          .map((option) => option.cloneNode(true)));
        list.value = [...list.options].some((option) => option.value === kept) ? kept : "";
        list.disabled = list.options.length < 2;
      }
      path.push(list.value);
    });
  }
});
