// A bar being made from its ticks, then the same bar made by another path.

const Y = (price) => 440 - (price - 98) * 74;
const LEFT = 84, RIGHT = 500, BAR = 720, TICKS = 150;

// A path through given turning points (share of the hour, price), with a little trembling between them.
function path(points, seed) {
  const draw = chance(seed), prices = [];
  for (let i = 0; i <= TICKS; i++) {
    const at = i / TICKS;
    let k = 0;
    while (k < points.length - 2 && points[k + 1][0] < at) k++;
    const [a, from] = points[k], [b, to] = points[k + 1];
    const share = (at - a) / (b - a);
    const trembling = (draw() - 0.5) * 0.42 * Math.sin(Math.PI * clamp(share));
    prices.push(Math.max(98.5, Math.min(102.4, Math.round((mix(from, to, share) + trembling) * 20) / 20)));
  }
  for (const [at, price] of points) prices[Math.round(at * TICKS)] = price;
  return prices;
}

const UP_FIRST = path([[0, 100], [0.12, 100.9], [0.2, 100.6], [0.36, 102.4], [0.47, 101.5], [0.55, 101.7], [0.74, 98.5], [0.86, 100.1], [0.9, 99.9], [1, 101.2]], 7);
const DOWN_FIRST = path([[0, 100], [0.1, 99.5], [0.16, 99.8], [0.3, 98.5], [0.42, 99.9], [0.48, 99.6], [0.78, 102.4], [0.9, 101.6], [1, 101.2]], 11);

function trace(prices, share, colour, opacity) {
  const last = Math.floor(share * TICKS);
  let d = "";
  for (let i = 0; i <= last; i++) {
    const x = mix(LEFT, RIGHT, i / TICKS).toFixed(1), y = Y(prices[i]).toFixed(1);
    d += i ? `H${x}V${y}` : `M${x} ${y}`;
  }
  const x = mix(LEFT, RIGHT, last / TICKS), y = Y(prices[last]);
  const pen = share > 0 && share < 1 ? `<circle cx="${x}" cy="${y}" r="5" fill="${PALE}" opacity="${opacity}"/>` : "";
  return `<path d="${d}" fill="none" stroke="${colour}" stroke-width="1.8" opacity="${opacity}"/>` + pen;
}

function bar(prices, share) {
  const seen = prices.slice(0, Math.floor(share * TICKS) + 1);
  const high = Math.max(...seen), low = Math.min(...seen), close = seen[seen.length - 1];
  return line(BAR, Y(high), BAR, Y(low), PALE, 7) + line(BAR - 34, Y(prices[0]), BAR, Y(prices[0]), PALE, 7) +
    line(BAR, Y(close), BAR + 34, Y(close), PALE, 7);
}

function label(price, name, from, t, side = 1) {
  const shown = along(t, from);
  return line(BAR + side * 44, Y(price), BAR + side * 70, Y(price), FAINT, 1, shown) +
    words(BAR + side * 80, Y(price) + 7, `${price.toFixed(2)}`, { opacity: shown, anchor: side > 0 ? "start" : "end" }) +
    words(BAR + side * 80, Y(price) + 27, name, { size: 15, colour: LINE, opacity: shown, anchor: side > 0 ? "start" : "end" });
}

window.draw = (t, s) => {
  // Sentences: 0 four numbers, 1 watch, 2 up, 3 high, 4 down, 5 back, 6 rub out, 7 range, 8 body, 9 another hour, 10 ask.
  const first = t < s[2] ? 0
    : t < s[3] ? mix(0, 0.33, (t - s[2]) / (s[3] - s[2]))
    : t < s[4] ? mix(0.33, 0.4, (t - s[3]) / (s[4] - s[3]))
    : t < s[5] ? mix(0.4, 0.76, (t - s[4]) / (s[5] - s[4]))
    : mix(0.76, 1, clamp((t - s[5]) / (s[6] - s[5] - 0.8)));
  const rubbed = along(t, s[6], 1.2);
  const second = clamp((t - s[9] - 0.3) / (s[10] - s[9] - 1.2));
  const ghosts = along(t, s[10], 1);
  let inner = "";
  for (let price = 98; price <= 102; price++) {
    inner += line(LEFT, Y(price), RIGHT, Y(price), LINE, 1, 0.14) + words(LEFT - 12, Y(price) + 5, price, { size: 14, colour: FAINT, anchor: "end" });
  }
  // The four numbers are announced on a finished bar, which then leaves the stage.
  const announced = 1 - along(t, s[1], 0.8);
  if (t < s[2]) {
    inner += `<g opacity="${along(t, 0.2) * announced}">${bar(UP_FIRST, 1)}</g>`;
    inner += `<g opacity="${announced}">` + label(100, "first", s[0] + 1.4, t, -1) + label(102.4, "highest", s[0] + 2.4, t) +
      label(98.5, "lowest", s[0] + 3.3, t) + label(101.2, "last", s[0] + 4.2, t) + "</g>";
  } else {
    inner += trace(UP_FIRST, first, LINE, mix(1, 0.1, rubbed) + 0.4 * ghosts) + bar(UP_FIRST, first);
    inner += label(100, "open", s[2] + 0.8, t, -1) + label(102.4, "high", s[3] + 3.2, t) + label(98.5, "low", s[5] - 1.6, t) +
      label(101.2, "close", s[6] - 1.4, t);
  }
  const range = along(t, s[7]) * (1 - along(t, s[9], 0.6)), body = along(t, s[8]) * (1 - along(t, s[9], 0.6));
  inner += `<path d="M556 ${Y(102.4)}h-14V${Y(98.5)}h14" fill="none" stroke="${MARK}" stroke-width="2" opacity="${range}"/>` +
    words(528, Y(100.62) - 4, "3.90", { anchor: "end", colour: MARK, opacity: range, size: 30 }) +
    words(528, Y(100.62) + 18, "argued over", { anchor: "end", colour: MARK, opacity: range, size: 16 });
  inner += rect(BAR - 20, Y(101.2), 40, Y(100) - Y(101.2), MARK, 0.85 * body) +
    words(528, Y(99.5) - 4, "1.20", { anchor: "end", colour: MARK, opacity: body, size: 30 }) +
    words(528, Y(99.5) + 18, "settled", { anchor: "end", colour: MARK, opacity: body, size: 16 });
  if (t > s[9]) inner += trace(DOWN_FIRST, second, MARK, mix(1, 0.75, ghosts));
  inner += words(904, 52, "Who was made to pay for it?", { anchor: "end", size: 24, opacity: along(t, s[10] + 1.6, 0.8) });
  return stage("Four numbers and a story", "Reading Price, lesson 1", inner, along(t, 0.1, 0.8));
};
