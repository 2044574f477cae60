// <field-range>: says the number that its slider stands at. Without scripts its ends are told only.
customElements.define("field-range", class extends HTMLElement {
  connectedCallback() {
    const slider = this.querySelector("input");
    const said = document.createElement("output");
    const say = () => { said.value = [slider.value, slider.dataset.unit].filter(Boolean).join(" "); };
    this.prepend(said);
    slider.addEventListener("input", say);
    say();
  }
});
