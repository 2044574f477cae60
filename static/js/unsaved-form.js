// <unsaved-form> in a form: whoever leaves the page with something typed and not saved is asked first.
customElements.define("unsaved-form", class extends HTMLElement {
  connectedCallback() {
    const form = this.closest("form");
    this.gone = new AbortController();
    const { signal } = this.gone;
    let typed = Boolean(form.querySelector("[aria-invalid=true], .notice")); // refused is not saved
    document.addEventListener("input", ({ target }) => (typed ||= target.form === form), { signal });
    // What htmx sends brings a new form when it is saved; anything else leaves the page to be saved.
    form.addEventListener("submit", () => (typed &&= form.hasAttribute("hx-post")), { signal });
    window.addEventListener("beforeunload", (event) => typed && event.preventDefault(), { signal });
  }

  disconnectedCallback() {
    this.gone.abort();
  }
});
