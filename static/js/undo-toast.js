// <undo-toast>: a message about something done. It leaves after ten seconds, not while it is pointed at or focused.
// Without scripts it stays, and its Undo is a form like any other.
customElements.define("undo-toast", class extends HTMLElement {
  #timer;

  connectedCallback() {
    if (this.classList.contains("toast--still")) return;
    this.#wait();
    for (const name of ["pointerenter", "focusin"]) this.addEventListener(name, () => clearTimeout(this.#timer));
    for (const name of ["pointerleave", "focusout"]) this.addEventListener(name, () => this.#wait());
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.remove();
    });
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.remove(), 10_000);
  }
});
