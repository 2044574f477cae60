// <script src="…/forms/embed.js" data-form="ask-us" data-as="inline|popup|slide" data-words="Ask us">
(() => {
  const me = document.currentScript, { form, as = "inline", words = "Open the form", side = "right" } = me.dataset;
  const origin = new URL(me.src).origin;
  const el = (tag, style, more) => {
    const made = Object.assign(document.createElement(tag), more);
    Object.assign(made.style, style);
    return made;
  };
  const frame = el("iframe", { border: 0, width: "100%", minHeight: "12rem", display: "block", colorScheme: "normal" }, {
    title: words, src: `${origin}/forms/${encodeURIComponent(form)}/embed`, loading: "lazy",
  });
  addEventListener("message", ({ source, origin: from, data }) => {
    const told = from === origin && source === frame.contentWindow && data?.lectern;
    if (told > 0) frame.style.height = `${Math.min(told, 2e4)}px`;
    if (told < 0) frame.closest("dialog")?.close();
  });
  if (as === "inline") return me.after(frame);
  const box = el("dialog", { border: 0, padding: 0, width: "min(42rem, 94vw)", maxHeight: "90vh", overflow: "auto" }, { ariaLabel: words, onclose: () => open.focus(), onkeydown: ({ key }) => key === "Escape" && box.close() });
  const close = el("button", { position: "sticky", top: 0, float: "right", font: "1.5rem/2.5rem sans-serif", width: "2.5rem", border: 0, background: "none", cursor: "pointer" }, { textContent: "×", ariaLabel: "Close", type: "button", onclick: () => box.close() });
  box.append(close, frame);
  const open = el("button", { font: "inherit", padding: ".6em 1.2em", cursor: "pointer" }, { textContent: words, type: "button" });
  if (as === "slide") {
    Object.assign(open.style, { position: "fixed", bottom: "1rem", [side]: "1rem", zIndex: 9999 });
    Object.assign(box.style, { position: "fixed", inset: "auto", bottom: "1rem", [side]: "1rem", margin: 0, width: "min(26rem, 94vw)", zIndex: 9999, boxShadow: "0 1rem 3rem #0004" });
  }
  open.onclick = () => (as === "slide" ? box.show() : box.showModal());
  me.after(open, box);
})();
