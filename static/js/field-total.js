// <form-total>: adds up what is chosen, to be seen before sending. What counts is what the server adds up.
customElements.define("form-total", class extends HTMLElement {
  connectedCallback() {
    this.form = this.closest("form");
    this.said = this.querySelector("output");
    this.words = this.said.value;
    this.form?.addEventListener("input", () => this.add());
    this.add();
  }

  add() {
    let minor = 0, currency = "";
    const seen = (control) => control.checkVisibility?.() ?? true;
    for (const chosen of this.form.querySelectorAll("[data-minor]:checked")) {
      if (!seen(chosen)) continue;
      const own = this.form.elements[`${chosen.name}.quantity`];
      const other = this.form.querySelector(`[data-of="${CSS.escape(chosen.name)}"]`);
      minor += chosen.dataset.minor * (own ? own.value || 1 : 1) * (other && seen(other) ? other.value || 1 : 1);
      currency ||= chosen.dataset.currency;
    }
    for (const amount of this.form.querySelectorAll("[data-amount]")) {
      if (!seen(amount)) continue;
      currency ||= amount.nextElementSibling.textContent;
      minor += Math.round(Number(amount.value.replace(",", ".")) * this.unit(currency)) || 0;
    }
    if (!currency) { this.said.value = this.words; return; }
    this.said.value = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency })
      .format(minor / this.unit(currency));
  }

  unit(currency) {
    return 10 ** new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  }
});
