// <field-signature>: a sheet to sign on; the drawing is sent as a PNG. Without scripts a name is typed instead.
customElements.define("field-signature", class extends HTMLElement {
  connectedCallback() {
    this.drawn = this.querySelector("[type=hidden]");
    this.sheet = document.createElement("canvas");
    this.sheet.className = "signature";
    Object.assign(this.sheet, { width: 800, height: 240 });
    this.sheet.setAttribute("role", "img");
    this.sheet.setAttribute("aria-label", this.dataset.label);
    this.clear = document.createElement("button");
    Object.assign(this.clear, { type: "button", className: "btn btn--small btn--plain", textContent: this.dataset.clear });
    this.clear.addEventListener("click", () => this.wipe());
    this.prepend(this.sheet, this.clear);
    this.pen = this.sheet.getContext("2d");
    Object.assign(this.pen, { lineWidth: 3, lineCap: "round", lineJoin: "round", strokeStyle: "#111" });
    this.sheet.addEventListener("pointerdown", (event) => this.begin(event));
    this.sheet.addEventListener("pointermove", (event) => this.draw(event));
    for (const end of ["pointerup", "pointercancel"]) this.sheet.addEventListener(end, () => this.end());
  }

  at(event) {
    const { width, height } = this.sheet.getBoundingClientRect();
    return [event.offsetX * this.sheet.width / width, event.offsetY * this.sheet.height / height];
  }

  begin(event) {
    this.sheet.setPointerCapture(event.pointerId);
    this.isDrawing = true;
    this.pen.beginPath();
    this.pen.moveTo(...this.at(event));
  }

  draw(event) {
    if (!this.isDrawing) return;
    this.pen.lineTo(...this.at(event));
    this.pen.stroke();
  }

  end() {
    if (!this.isDrawing) return;
    this.isDrawing = false;
    this.drawn.value = this.sheet.toDataURL("image/png");
  }

  wipe() {
    this.pen.clearRect(0, 0, this.sheet.width, this.sheet.height);
    this.drawn.value = "";
  }
});
