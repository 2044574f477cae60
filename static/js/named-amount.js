// <named-amount field="amount" currency="EUR" words="Give {amount} back">: the button inside names the amount that stands in
// the field. Without scripts, and while the field holds no amount, it keeps its own words.
customElements.define("named-amount", class extends HTMLElement {
  connectedCallback() {
    const field = document.getElementById(this.getAttribute("field"));
    const button = this.querySelector("button:not([type=button])");
    if (!field || !button) return;
    const usual = button.textContent;
    const money = new Intl.NumberFormat(document.documentElement.lang || "en", {
      style: "currency", currency: this.getAttribute("currency"), trailingZeroDisplay: "stripIfInteger",
    });
    const name = () => {
      const amount = /^\d+([.,]\d{1,2})?$/.test(field.value.trim()) ? Number(field.value.replace(",", ".")) : 0;
      button.textContent = amount ? this.getAttribute("words").replace("{amount}", () => money.format(amount)) : usual;
    };
    field.addEventListener("input", name);
    name();
  }
});
