// <hue-slider>: the page takes the hue while the slider moves. Nothing is kept until the form is sent.
customElements.define("hue-slider", class extends HTMLElement {
  connectedCallback() {
    const slider = this.querySelector("input[type=range]");
    const shown = this.querySelector("output");
    slider?.addEventListener("input", () => {
      document.documentElement.style.setProperty("--hue", slider.value);
      if (shown) shown.value = slider.value;
    });
  }

  disconnectedCallback() {
    document.documentElement.style.removeProperty("--hue");
  }
});
