// <field-mask>: adds the signs between, while somebody types into a text of a given shape. The server does so too.
const stands = { 9: /[0-9]/, a: /\p{L}/u, "*": /[0-9]|\p{L}/u };

function fit(typed, mask) {
  const rest = [...typed];
  let shown = "";
  for (const sign of mask) {
    if (!rest.length) break;
    if (stands[sign]) {
      while (rest.length && !stands[sign].test(rest[0])) rest.shift();
      if (rest.length) shown += rest.shift();
    } else {
      shown += sign;
      if (rest[0] === sign) rest.shift();
    }
  }
  return shown;
}

customElements.define("field-mask", class extends HTMLElement {
  connectedCallback() {
    const input = this.querySelector("[data-mask]");
    input?.addEventListener("input", (event) => {
      const isAtEnd = input.selectionStart === input.value.length;
      if (isAtEnd && !event.inputType?.startsWith("delete")) input.value = fit(input.value, input.dataset.mask);
    });
  }
});
