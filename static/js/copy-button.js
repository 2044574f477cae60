// <copy-button of="id" said="Copied"><button hidden>Copy</button></copy-button>: shows its button where scripts may write
// to the clipboard; copies the text of the element with that id, and says so on the button for two seconds.
customElements.define("copy-button", class extends HTMLElement {
  connectedCallback() {
    const button = this.querySelector("button");
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const from = document.getElementById(this.getAttribute("of"));
      const words = (from.value ?? from.innerText).trim();
      await navigator.clipboard.writeText(words);
      const label = [...button.childNodes].findLast((node) => node.textContent.trim());
      const before = label.textContent;
      if (before.includes(this.getAttribute("said"))) return;
      label.textContent = this.getAttribute("said");
      button.setAttribute("aria-live", "polite");
      setTimeout(() => { label.textContent = before; }, 2000);
    });
  }
});
