// <tag-picker>: each element with data-tag in it becomes a button that writes the tag where the cursor was last, in the
// text that was edited last. Without scripts they are words to copy.
customElements.define("tag-picker", class TagPicker extends HTMLElement {
  connectedCallback() {
    for (const tag of this.querySelectorAll("code[data-tag]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "follow__tag mono";
      button.dataset.tag = tag.dataset.tag;
      button.textContent = tag.textContent;
      tag.replaceWith(button);
    }
    this.addEventListener("click", (event) => this.write(event.target.closest("button[data-tag]")));
    this.remember = (event) => {
      if (event.target.matches("form .input:not(select)")) this.last = event.target;
    };
    document.addEventListener("focusin", this.remember);
  }

  disconnectedCallback() {
    document.removeEventListener("focusin", this.remember);
  }

  write(button) {
    const into = this.last ?? document.querySelector("textarea.input");
    if (!button || !into) return;
    into.focus();
    into.setRangeText(button.dataset.tag, into.selectionStart, into.selectionEnd, "end");
    into.dispatchEvent(new Event("input", { bubbles: true }));
  }
});
