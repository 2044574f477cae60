// <form-total>: adds up what is chosen, to be seen before sending, beginning with what the server tells of other pages
// (app/formbuilder/payment/bills.py, SoFar). What counts is what the server adds up.
const whole = (text) => (/^\d{1,6}$/.test(text ?? "") ? Number(text) : null);

// `chosen` and `written` stand on this page, `asked` says how many of a field; each line with what it comes to, in minor units.
export function linesOf({ kept = [], times = {} }, chosen, asked, written) {
  const count = (field) => {
    const [before, behind] = times[field] ?? [];
    return before ?? whole(asked[field]) ?? behind ?? 1;
  };
  const elsewhere = kept.map(([field, label, own, minor, currency]) => ({ field, label, own, minor, currency }));
  const here = chosen.map((line) => ({ ...line, own: whole(line.own) ?? 1, minor: line.minor * (whole(line.own) ?? 1) }));
  const counted = [...elsewhere, ...here].map(({ field, label, own, minor, currency }) => {
    const quantity = own * count(field);
    return { label: label + (quantity > 1 ? ` × ${quantity}` : ""), minor: minor * count(field), currency, quantity };
  });
  return [...counted.filter((line) => line.quantity), ...written];
}

// An amount as somebody writes it, in minor units with so many digits, as the server reads it; null for none.
export function amountOf(text, digits) {
  // A comma with one or two digits behind it begins the cents; other marks before it part thousands.
  const plain = text.replace(/[\s\u00a0]/g, "").replace(/[.,](?=.*,\d\d?$)|,(?!\d\d?$)|\.$/g, "").replace(",", ".");
  const found = /^(\d+)(?:\.(\d*))?$/.exec(plain);
  const fraction = found?.[2] ?? "";
  return found && fraction.length <= digits ? Number(found[1] + fraction.padEnd(digits, "0")) : null;
}

globalThis.customElements?.define("form-total", class extends HTMLElement {
  connectedCallback() {
    this.form = this.closest("form");
    this.said = this.querySelector("output");
    this.list = this.querySelector("ul");
    this.words = this.said.value;
    this.told = JSON.parse(this.dataset.told || "{}");
    this.form?.addEventListener("input", () => this.add());
    if (this.form) this.add();
  }

  add() {
    const lines = linesOf(this.told, this.chosen(), this.asked(), this.written());
    this.list?.replaceChildren(...lines.map((line) => this.row(line)));
    const isMixed = new Set(lines.map((line) => line.currency)).size > 1;
    const minor = lines.reduce((sum, line) => sum + line.minor, 0);
    this.said.value = lines.length && !isMixed ? this.money(minor, lines[0].currency) : this.words;
  }

  shown(selector) {
    return [...this.form.querySelectorAll(selector)].filter((control) => control.checkVisibility?.() ?? true);
  }

  chosen() {
    return this.shown("[data-minor]:checked").map((control) => ({
      field: control.name,
      label: control.nextElementSibling.textContent,
      own: this.form.elements[`${control.name}.quantity`]?.value,
      minor: Number(control.dataset.minor),
      currency: control.dataset.currency,
    }));
  }

  asked() {
    // The first that says something counts.
    return Object.fromEntries(this.shown("[data-of]").filter(({ value }) => value).map(({ dataset, value }) => [dataset.of, value]).reverse());
  }

  written() {
    return this.shown("[data-amount]").map((control) => {
      const currency = control.nextElementSibling.textContent;
      return { label: control.dataset.amount, minor: amountOf(control.value, this.digits(currency)), currency };
    }).filter((line) => line.minor !== null);
  }

  row({ label, minor, currency }) {
    const row = document.createElement("li");
    for (const text of [label, this.money(minor, currency)]) {
      row.append(Object.assign(document.createElement("span"), { textContent: text }));
    }
    return row;
  }

  money(minor, currency) {
    return new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency, trailingZeroDisplay: "stripIfInteger" }).format(minor / 10 ** this.digits(currency));
  }

  digits(currency) {
    return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  }
});
