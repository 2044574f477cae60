// <confirm-name name="1184">: the button inside wakes when the field holds the name. The server checks it again; without
// scripts the button is always awake and a wrong name comes back as an error of the field.
customElements.define("confirm-name", class extends HTMLElement {
  connectedCallback() {
    const field = this.querySelector("input");
    const button = this.querySelector("button:not([type=button])");
    if (!field || !button) return;
    const look = () => {
      const right = field.value.trim() === this.getAttribute("name");
      button.setAttribute("aria-disabled", String(!right));
    };
    field.addEventListener("input", look);
    button.addEventListener("click", (event) => {
      if (button.getAttribute("aria-disabled") !== "true") return;
      event.preventDefault();
      field.focus();
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && button.getAttribute("aria-disabled") === "true") event.preventDefault();
    });
    look();
  }
});
