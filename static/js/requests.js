// What htmx leaves to us: short addresses, focus after a refused form, words for readers, and a dead network.
(() => {
  const $ = (id) => document.getElementById(id);
  const isInView = (at) => at.getBoundingClientRect().top >= 0 && at.getBoundingClientRect().bottom <= innerHeight;

  // A filter that is not set does not belong in the address.
  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    const { method, body } = ctx.request;
    if (method !== "GET" || !body) return;
    for (const [key, value] of [...body]) if (value === "") body.delete(key);
  });

  // A form says for whom its page was drawn: in another tab somebody else may have signed in since.
  const viewer = document.querySelector("meta[name=viewer]")?.content;
  document.addEventListener("formdata", ({ target, formData }) => {
    if (viewer && target.getAttribute("method") === "post") formData.append("_viewer", viewer);
  });

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    const status = ctx?.response?.status;
    const place = ctx?.target?.id ? $(ctx.target.id) : ctx?.target;
    if (status === 422) {
      const first = (place ?? document).querySelector?.("[aria-invalid=true]") ?? document.querySelector("[aria-invalid=true]");
      first?.focus();
    } else if (status >= 400) {
      $("notices")?.scrollIntoView({ block: "nearest" });
    } else {
      const said = place?.querySelector?.("[data-announce]")?.textContent.trim();
      if (said && $("announce")) $("announce").textContent = said;
      // What was pressed was swapped away: the keyboard goes on in the same form, or where the form was.
      if (place && document.activeElement === document.body && ["submit", "click"].includes(ctx.sourceEvent?.type)) {
        const action = ctx.sourceEvent.target.getAttribute?.("action"); // htmx names the place instead of a form that went
        const controls = action ? [...place.querySelectorAll(`form[action="${CSS.escape(action)}"] :is(input, button):not([type=hidden])`)] : [];
        const again = controls.find(isInView) ?? controls[0];
        if (!again) place.tabIndex = -1;
        (again || place).focus({ preventScroll: true });
      }
      // What was wrong has been put right, unless a part of the page only looked by itself.
      if (["load", "every", "asked"].includes(ctx?.sourceEvent?.type)) return;
      $("notices")?.querySelectorAll(".notice--bad").forEach((notice) => notice.remove());
    }
  });

  // The same address a second time (Enter after the list has followed the typing) is no further step back.
  document.addEventListener("htmx:before:history:update", ({ detail: { history: step } }) => {
    if (step.path === location.pathname + location.search) step.type = "replace";
  });

  // The answer never came: say so where errors are said, unless nobody asked for it (a part that loads by itself).
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (!ctx || ctx.response || ctx.sourceEvent?.type === "load") return;
    const words = $("trouble")?.content.cloneNode(true);
    if (!words || !$("notices")) return;
    $("notices").replaceChildren(words);
    $("notices").scrollIntoView({ block: "nearest" });
  });

  // A whole page that came back with errors (no htmx in between) starts at the first of them.
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("main [aria-invalid=true]")?.focus();
  });
})();
