// <form-builder>: what a request asks and a swap leaves to us (keys: builder-keys.js, dragging: builder-drag.js). Adding,
// moving, undoing and removing are buttons of forms, which is what works without scripts.
customElements.define("form-builder", class extends HTMLElement {
  #open = [];
  #sent = "";
  #focus = "";

  connectedCallback() {
    this.addEventListener("click", (event) => this.#click(event));
    this.addEventListener("htmx:config:request", (event) => this.#once(event));
    this.addEventListener("htmx:before:request", (event) => this.#ask(event.detail.ctx));
    this.outside = {
      "htmx:before:swap": (event) => this.#before(event.detail.ctx),
      "htmx:after:swap": (event) => this.#swapped(event.detail.ctx),
      "htmx:error": () => (this.#sent = ""),
    };
    for (const [name, act] of Object.entries(this.outside)) document.addEventListener(name, act);
    // On a narrow screen the tab that is open may stand outside of its row.
    const tab = this.querySelector(".builder__tabs [aria-current]"), row = tab?.closest("ul, nav");
    if (row) row.scrollLeft = tab.offsetLeft - row.clientWidth / 2;
  }

  disconnectedCallback() {
    for (const [name, act] of Object.entries(this.outside)) document.removeEventListener(name, act);
  }

  // --- requests ---

  // The same properties are not sent twice, once as they are typed and once as they are left.
  #once(event) {
    const { ctx } = event.detail;
    if (ctx.sourceElement.id !== "field-form") return;
    const body = new URLSearchParams(ctx.request.body);
    body.delete("shown");
    if (ctx.sourceEvent.type !== "submit" && `${body}` === this.#sent) event.preventDefault();
    this.#sent = `${body}`;
  }

  // What is shown already need not be drawn again; and undo is about what is there when its turn comes.
  #ask({ sourceElement, target, request }) {
    if (target !== this) return;
    const rows = [...this.querySelectorAll(".builder__list > [data-row]")];
    const known = rows.map((row) => `${row.dataset.row}:${row.dataset.mark}`).join(" ");
    if (this.querySelector("#palette > *") && known.length < 6000) request.headers["Builder-Blocks"] = known || "-";
    if (sourceElement.querySelector?.("[data-undo], [data-redo]") && request.body instanceof URLSearchParams) {
      request.body.set("at", sourceElement.elements.at.value);
    }
  }

  #before(ctx) {
    if (ctx?.target !== this) return;
    this.#open = [...this.querySelectorAll("details[open]")];
    for (const [, id] of (ctx.text ?? "").matchAll(/<li id="(b-[a-z0-9_]+)" data-kept>/g)) {
      document.getElementById(id)?.setAttribute("hx-morph-skip", "");
    }
  }

  #swapped(ctx) {
    if (ctx?.target !== this) return;
    for (const row of this.querySelectorAll(".builder__list > [hx-morph-skip]")) row.removeAttribute("hx-morph-skip");
    if (this.querySelector("[data-kept]")) return location.reload(); // it is not shown after all
    for (const details of this.#open) if (details.isConnected) details.open = true;
    const typed = ctx.sourceElement?.closest?.("#properties");
    if (!typed) {
      this.#sent = "";
      this.#settle();
      if (this.querySelector("#editors")?.textContent.trim()) htmx.trigger("#editors", "asked");
    }
    this.#go(ctx);
  }

  // What was typed before gives way to what is kept now: controls do not do that by themselves.
  #settle() {
    for (const control of this.querySelectorAll("#properties :is(input, textarea, select)")) {
      if (control === document.activeElement || control.type === "hidden") continue;
      if (control.type === "checkbox" || control.type === "radio") control.checked = control.defaultChecked;
      else if (control.localName !== "select") control.value = control.defaultValue;
      else for (const option of control.options) option.selected = option.defaultSelected;
    }
  }

  // Where the keyboard goes on.
  #go(ctx) {
    const wanted = this.#focus && this.querySelector(this.#focus);
    this.#focus = "";
    if (wanted) return wanted.focus();
    const panel = this.querySelector("#properties");
    if (ctx.sourceElement?.id === "add") {
      this.querySelector(".block--picked")?.scrollIntoView({ block: "nearest" });
      panel?.querySelector("#p-label")?.select();
    } else if (ctx.sourceElement?.matches?.(".block__pick") && panel && innerWidth < 1024) {
      panel.scrollIntoView({ block: "start" });
    }
  }

  #click(event) {
    const newest = event.target.closest("[data-newest]");
    if (newest) {
      event.preventDefault();
      htmx.trigger(this, "reordered");
    }
    // A removed field takes the focus along: it goes to the one that comes after it.
    const row = event.target.closest("[data-remove]")?.closest("[data-row]");
    const near = row?.nextElementSibling ?? row?.previousElementSibling;
    if (near) this.#focus = `#${near.id} .block__pick`;
  }
});
