// <palette-search>: a field that leaves only the kinds whose words contain what is typed. Groups open while searching.
customElements.define("palette-search", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("input", (event) => {
      event.stopPropagation();
      const words = event.target.value.trim().toLowerCase();
      const palette = this.parentElement;
      for (const item of palette.querySelectorAll("[data-words]")) item.hidden = !item.dataset.words.includes(words);
      for (const group of palette.querySelectorAll("details")) {
        group.hidden = !group.querySelector("[data-words]:not([hidden])");
        group.dataset.was ??= group.open ? "open" : "";
        group.open = words ? true : group.dataset.was === "open";
      }
      palette.querySelector(".palette__none").hidden = !!palette.querySelector("details:not([hidden])");
    });
    this.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.parentElement.querySelector("details:not([hidden]) [data-words]:not([hidden]) button")?.click();
    });
  }
});
