// A form of a visitor: fetches its stamp when it is first touched (the page itself may be kept by caches), shows and hides as
// rules say, sends without leaving the page, and keeps what was typed when there is no network. Without it plain posts do all.
const main = document.getElementById("main");
let form, stamping, logic, evaluate, sending, touched, stamped = -Infinity;

function begin() {
  form = main.querySelector("form");
  stamping = evaluate = touched = null;
  // One that leaves its frame for a payment page goes there as browsers do: fetched, it would stay inside, where that is refused.
  if (!form || form.target) return;
  form.addEventListener("focusin", (event) => (touched = event.target.closest("[data-field]")?.dataset.field ?? touched));
  for (const type of ["focusin", "pointerover"]) form.addEventListener(type, stamp, { once: true });
  form.addEventListener("submit", send);
  form.addEventListener("keydown", move);
  if (form.dataset.logic) {
    logic = JSON.parse(document.getElementById("logic").textContent);
    form.addEventListener("input", decide);
    import(form.dataset.logic).then((module) => ((evaluate = module.evaluate), decide()));
  }
}

// A stamp that could not be fetched is given by the server's answer. Only the first screen has one: what is begun has passed.
const stamp = () =>
  (stamping ??= form.dataset.stamp && !form.elements.stamp.value
    ? fetch(form.dataset.stamp, { cache: "no-store" })
        .then(async (answer) => answer.ok && ((form.elements.stamp.value = await answer.text()), (stamped = performance.now())))
        .catch(() => (stamping = null))
    : Promise.resolve());

function decide(event) {
  if (!evaluate) return;
  const posted = { __proto__: null, ...logic.known };
  for (const [name, value] of new FormData(form)) if (typeof value == "string") (posted[name] ??= []).push(value);
  const { visible, required, values, steps } = evaluate(logic.plan, posted, logic.today);
  const told = [];
  for (const field of form.querySelectorAll("[data-field]")) {
    const id = field.dataset.field, wasSeen = !field.hidden && !("unseen" in field.dataset);
    field.hidden = !visible.has(id);
    delete field.dataset.unseen;
    if (!wasSeen && !field.hidden && event) told.push(field.querySelector("legend, label, h2")?.textContent.trim());
    const optional = field.querySelector(".field__optional");
    if (!optional) continue;
    optional.hidden = required.has(id);
    const control = document.getElementById(id);
    if (required.has(id)) control?.setAttribute("aria-required", "true");
    else control?.removeAttribute("aria-required");
  }
  let place = +form.dataset.numbers;
  for (const number of form.querySelectorAll(".q__n")) number.textContent = number.closest("[hidden]") ? "" : place++;
  for (const output of form.querySelectorAll("[data-output]")) {
    const value = values[output.dataset.output];
    const text = value == null ? "" : `${value} ${output.dataset.unit ?? ""}`.trim();
    if (output.textContent !== text) output.textContent = text;
  }
  if (told.length) document.getElementById("told").textContent = told.filter(Boolean).join(", ");
  const button = form.querySelector("[data-next]"), asked = form.elements.screen?.value;
  if (asked === logic.step) button.textContent = steps.at(-1) === logic.step ? button.dataset.send : button.dataset.next;
}

// One question at a time: arrows up and down go back and on, where they mean nothing else; Enter goes on everywhere.
function move(event) {
  const box = event.target, way = { ArrowDown: "next", ArrowUp: "back", Enter: "next" }[event.key];
  if (!way || !form.matches(".form--one") || event.altKey || event.isComposing || event.shiftKey) return;
  const isText = box.matches("input:not([type=radio],[type=checkbox],[type=number],[type=range],[type=date],[type=time],[list])");
  if (event.key === "Enter" ? !box.matches("textarea, [type=radio], [type=checkbox]") : !isText) return;
  const button = form.querySelector(`[name=go][value=${way}]`);
  if (button) event.preventDefault(), form.requestSubmit(button);
}

async function send(event) {
  event.preventDefault();
  if (sending) return;
  sending = true;
  form.setAttribute("aria-busy", "true");
  try {
    await (stamping ?? (form.dataset.stamp && stamp()));
    // A stamp of less than a second is refused: whoever only presses the button is not asked to do so twice.
    const early = stamped + 1100 - performance.now();
    if (early > 0) await new Promise((done) => setTimeout(done, early));
    const body = new FormData(form, event.submitter);
    const multipart = form.enctype.startsWith("multipart");
    let answer = await fetch(form.action, {
      method: "POST",
      body: multipart ? body : new URLSearchParams(body),
      headers: { "Lectern-Fetch": "1" },
    });
    let address;
    if (answer.headers.has("Lectern-To")) {
      address = new URL(answer.headers.get("Lectern-To"), location);
      if (address.origin !== location.origin || !address.pathname.startsWith("/forms/")) return location.assign(address);
      answer = await fetch(address);
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html"), next = page.getElementById("main");
    if (!next || !page.querySelector(".fill")) {
      const [title, text] = page.querySelector(".error__text")?.children ?? [];
      throw text && `${title.textContent}: ${text.textContent}`;
    }
    // A captcha's script draws by itself only what is there when the page begins.
    const gate = next.querySelector(".cf-turnstile");
    if (gate && !window.turnstile) return location.assign(address ?? location);
    if (address) history.pushState(null, "", address);
    document.title = page.title;
    main.replaceChildren(...next.childNodes);
    begin();
    if (gate) window.turnstile.render(gate, { ...gate.dataset });
    const wrong = main.querySelector(".field__error")?.closest("[data-field]"), control = ":is(input:not([type=hidden]), select, textarea)";
    const place = ["[aria-invalid=true]", "[aria-invalid=true] ", ""].map((where) => wrong?.querySelector(where.endsWith(" ") ? where + control : control + where));
    // One question at a time: the keyboard is where it is answered.
    const asked = !wrong && [...main.querySelectorAll(`.form--one [data-field] ${control}`)].find((each) => each.checkVisibility());
    (place.find(Boolean) ?? main.querySelector("[role=alert]") ?? (asked || main.querySelector("h1"))).focus();
    if (address) scrollTo(0, 0);
  } catch (said) {
    tell(typeof said == "string" ? said : form.dataset.away);
  } finally {
    sending = false;
    form?.removeAttribute("aria-busy");
  }
}

function tell(words) {
  const notice = form.querySelector("[role=alert]") ?? document.createElement("p");
  Object.assign(notice, { className: "notice", role: "alert", tabIndex: -1, textContent: words });
  form.prepend(notice);
  notice.focus();
}

// Which question somebody left at, without what was typed: the report of the form counts them.
addEventListener("visibilitychange", () => {
  if (!document.hidden || sending || !touched || !form?.dataset.left || !form.elements.stamp.value) return;
  navigator.sendBeacon(form.dataset.left, new URLSearchParams({ stamp: form.elements.stamp.value, field: touched }));
});
addEventListener("popstate", () => location.reload());
begin();
// In a frame on another site: it is as high as what is in it, and Escape closes what it opened in, which cannot hear the key.
if (parent !== window) {
  addEventListener("keydown", ({ key }) => key === "Escape" && parent.postMessage({ lectern: -1 }, "*"));
  const measure = () => parent.postMessage({ lectern: document.documentElement.offsetHeight }, "*");
  new ResizeObserver(measure).observe(document.documentElement);
}
