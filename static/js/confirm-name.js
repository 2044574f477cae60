// <confirm-name name="1184">: the button inside wakes when the field holds the name. Whoever presses it before, or Enter, is told
// beside the field what is wrong. The server checks it again; without scripts the button is always awake and a wrong name comes
// back as an error of the field.
customElements.define("confirm-name", class extends HTMLElement {
  connectedCallback() {
    const field = this.querySelector("input");
    const button = this.querySelector("button:not([type=button])");
    const sentence = this.querySelector(".field__error");
    if (!field || !button) return;
    const hint = field.getAttribute("aria-describedby").split(" ")[0];
    const say = (wrong) => {
      sentence.hidden = !wrong;
      field.setAttribute("aria-describedby", wrong ? `${hint} ${sentence.id}` : hint);
      if (wrong) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    };
    const look = () => {
      const right = field.value.trim() === this.getAttribute("name");
      button.setAttribute("aria-disabled", String(!right));
      if (right) say(false);
    };
    const refuse = (event) => {
      if (button.getAttribute("aria-disabled") !== "true") return;
      event.preventDefault();
      say(true);
      field.focus();
    };
    field.addEventListener("input", look);
    button.addEventListener("click", refuse);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") refuse(event);
    });
    look();
  }
});
