// <field-markdown>: Ctrl+B and Ctrl+I put the signs of bold and slanted around what is selected.
const signs = { b: "**", i: "*" };
customElements.define("field-markdown", class extends HTMLElement {
  connectedCallback() {
    const text = this.querySelector("textarea");
    text.addEventListener("keydown", (event) => {
      const sign = (event.ctrlKey || event.metaKey) && signs[event.key];
      if (!sign) return;
      event.preventDefault();
      const { selectionStart: start, selectionEnd: end } = text;
      text.setRangeText(sign + text.value.slice(start, end) + sign, start, end, "end");
      if (start === end) text.selectionStart = text.selectionEnd = start + sign.length;
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
});
