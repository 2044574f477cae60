// <lesson-keys prev-url next-url>: j and k go to the previous and the next lesson, as on a page with a film.
customElements.define("lesson-keys", class extends HTMLElement {
  #stop = new AbortController();

  connectedCallback() {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
      const to = { j: "prev-url", k: "next-url" }[event.key];
      if (to && this.getAttribute(to)) location.assign(this.getAttribute(to));
    }, { signal: this.#stop.signal });
  }

  disconnectedCallback() {
    this.#stop.abort();
  }
});
