// <upload-form>: a form with a file, sent so that one can see how far it is, and stop it. Its answer is the block named
// by the attribute target, as for htmx (which aborts after its time-out and cannot tell how far it is). Without scripts
// the form is a form. Attributes: target, max (bytes), too-large and broken (what to say).
customElements.define("upload-form", class extends HTMLElement {
  #sending = null;

  connectedCallback() {
    this.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#sending) this.#send(event.target);
    });
    this.querySelector("[data-stop]")?.addEventListener("click", () => this.#sending?.abort());
  }

  disconnectedCallback() {
    this.#sending?.abort();
  }

  #send(form) {
    const file = form.querySelector("input[type=file]")?.files[0];
    if (file && this.hasAttribute("max") && file.size > Number(this.getAttribute("max"))) return this.#say("too-large");
    const sending = this.#sending = new XMLHttpRequest();
    sending.open("POST", form.action);
    sending.setRequestHeader("HX-Request", "true");
    sending.setRequestHeader("HX-Target", "div#" + this.getAttribute("target"));
    const bar = this.querySelector("progress");
    sending.upload.onprogress = ({ loaded, total }) => {
      bar.max = total;
      bar.value = loaded;
    };
    sending.onload = () => {
      this.#busy(false);
      this.#show(sending);
    };
    sending.onerror = () => {
      this.#busy(false);
      this.#say("broken");
    };
    sending.onabort = () => this.#busy(false);
    this.#busy(true);
    sending.send(new FormData(form));
  }

  #busy(on) {
    if (!on) this.#sending = null;
    this.setAttribute("aria-busy", String(on));
    this.querySelector("[data-said]").textContent = "";
    for (const button of this.querySelectorAll("button:not([data-stop])")) button.disabled = on;
  }

  #show(answer) {
    const { body } = new DOMParser().parseFromString(answer.responseText, "text/html");
    for (const part of body.querySelectorAll("hx-partial")) {
      this.#put(part.getAttribute("hx-target"), part.children);
      part.remove();
    }
    this.#put(answer.getResponseHeader("HX-Retarget") ?? "#" + this.getAttribute("target"), body.children);
  }

  #put(where, parts) {
    const old = document.querySelector(where);
    if (!old) return location.reload();
    old.replaceWith(...parts);
    const now = document.querySelector(where);
    globalThis.htmx?.process(now);
    now.querySelector("[aria-invalid=true]")?.focus();
  }

  #say(what) {
    this.querySelector("[data-said]").textContent = this.getAttribute(what);
  }
});
