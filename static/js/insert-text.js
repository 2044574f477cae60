// <insert-text for="id">: puts what is chosen in its list into the text field of that id, where the cursor stands.
customElements.define("insert-text", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", (event) => event.stopPropagation());
    this.addEventListener("input", (event) => event.stopPropagation());
    this.querySelector("button").addEventListener("click", () => {
      const text = document.getElementById(this.getAttribute("for"));
      text.setRangeText(this.querySelector("select").value, text.selectionStart, text.selectionEnd, "end");
      text.focus();
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
});
