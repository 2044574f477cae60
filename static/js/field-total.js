// <form-total>: adds up what is chosen, to be seen before sending, beginning with what was chosen on other pages. What counts
// is what the server adds up.
customElements.define("form-total", class extends HTMLElement {
  connectedCallback() {
    this.form = this.closest("form");
    this.said = this.querySelector("output");
    this.lines = this.querySelector("ul");
    this.words = this.said.value;
    this.form?.addEventListener("input", () => this.add());
    if (this.form) this.add();
  }

  add() {
    const found = [...this.chosen(), ...this.written()];
    const currency = this.dataset.currency || found[0]?.currency;
    this.lines?.replaceChildren(...this.lines.querySelectorAll("[data-kept]"), ...found.map((line) => this.row(line)));
    const isMixed = found.some((line) => line.currency !== currency);
    const minor = found.reduce((sum, line) => sum + line.minor, Number(this.dataset.minor));
    const hasSome = found.length > 0 || Number(this.dataset.minor) > 0;
    this.said.value = hasSome && !isMixed ? this.money(minor, currency) : this.words;
  }

  seen(control) {
    return control && (control.checkVisibility?.() ?? true);
  }

  chosen() {
    return [...this.form.querySelectorAll("[data-minor]:checked")].filter(this.seen).map((chosen) => {
      const own = this.form.elements[`${chosen.name}.quantity`];
      const other = this.form.querySelector(`[data-of="${CSS.escape(chosen.name)}"]`);
      const count = (own?.value || 1) * ((this.seen(other) && other.value) || 1);
      const label = chosen.nextElementSibling.textContent + (count > 1 ? ` × ${count}` : "");
      return { label, minor: chosen.dataset.minor * count, currency: chosen.dataset.currency };
    });
  }

  written() {
    return [...this.form.querySelectorAll("[data-amount]")].filter(this.seen).map((amount) => {
      const currency = amount.nextElementSibling.textContent;
      const minor = Math.round(Number(amount.value.replace(",", ".")) * this.unit(currency)) || 0;
      return { label: amount.dataset.amount, minor, currency };
    }).filter((line) => line.minor);
  }

  row({ label, minor, currency }) {
    const row = document.createElement("li");
    for (const text of [label, this.money(minor, currency)]) {
      row.append(Object.assign(document.createElement("span"), { textContent: text }));
    }
    return row;
  }

  money(minor, currency) {
    return new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency, trailingZeroDisplay: "stripIfInteger" }).format(minor / this.unit(currency));
  }

  unit(currency) {
    return 10 ** new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  }
});
