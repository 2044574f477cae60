// <print-button><button hidden>Print</button></print-button>: shows its button where scripts run, and prints the page.
customElements.define("print-button", class extends HTMLElement {
  connectedCallback() {
    const button = this.querySelector("button");
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
});
