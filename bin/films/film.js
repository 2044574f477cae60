// What the films have in common: the stage, its colours, and easing between two moments.
// A film sets window.draw = (seconds, starts) => SVG text; `starts` are the seconds at which sentences begin.

const INK = "oklch(.21 .018 155)", LINE = "oklch(.72 .02 155)", MARK = "oklch(.86 .1 155)", PALE = "oklch(.95 .006 95)",
  FAINT = "oklch(.62 .015 155)";

const clamp = (x) => Math.max(0, Math.min(1, x));
const ease = (x) => { const c = clamp(x); return c * c * (3 - 2 * c); };
// How far the stretch that begins at `from` and lasts `long` seconds has come, from 0 to 1.
const along = (t, from, long = 0.6) => ease((t - from) / long);
const mix = (a, b, x) => a + (b - a) * x;

const line = (x1, y1, x2, y2, colour = LINE, width = 2, opacity = 1, more = "") =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="${width}" opacity="${opacity}" ${more}/>`;
const rect = (x, y, w, h, colour, opacity = 1, more = "") =>
  `<rect x="${x}" y="${y}" width="${Math.max(0, w)}" height="${h}" fill="${colour}" opacity="${opacity}" ${more}/>`;
const words = (x, y, text, { size = 22, colour = PALE, anchor = "start", opacity = 1, weight = 450 } = {}) =>
  `<text x="${x}" y="${y}" font-size="${size}" fill="${colour}" text-anchor="${anchor}" opacity="${opacity}" font-weight="${weight}">${text}</text>`;

function stage(title, place, inner, opening) {
  return `<rect width="960" height="540" fill="${INK}"/>${inner}` +
    words(56, 52, title, { size: 24, opacity: opening }) +
    words(56, 76, place, { size: 15, colour: FAINT, opacity: opening });
}

// A small generator of chance that is the same in every run.
function chance(seed) {
  let state = seed;
  return () => { state = (state * 1664525 + 1013904223) >>> 0; return state / 4294967296; };
}

window.show = (t, starts) => { document.querySelector("#stage").innerHTML = window.draw(t, starts); };
