// An opening auction: orders collect, are added up from both ends, and trade at one price.

const PRICES = [103, 102, 101, 100, 99];
const BUY = [300, 200, 400, 300, 500], SELL = [500, 400, 300, 300, 200];
const UP = [300, 500, 900, 1200, 1700];     // would buy at this price, added up from the top
const DOWN = [1700, 1200, 800, 500, 200];   // would sell at this price, added up from the bottom
const TRADED = UP.map((buy, i) => Math.min(buy, DOWN[i]));

const ROW = (i) => 124 + i * 60, HEIGHT = 34, MIDDLE = 480, GAP = 52, UNIT = 20; // one block is 100 shares
const count = (n) => n.toLocaleString("en-GB");

function blocks(side, i, number, shown, colour, opacity) {
  let out = "";
  for (let k = 0; k < number / 100; k++) {
    const come = shown(k);
    const distance = GAP + k * UNIT + (1 - come) * 60;
    const x = side < 0 ? MIDDLE - distance - UNIT + 2 : MIDDLE + distance;
    out += rect(x, ROW(i), UNIT - 2, HEIGHT, colour, opacity * come);
  }
  return out;
}

window.draw = (t, s) => {
  // Sentences: 0 collect, 1 sides, 2 buyers up, 3 sellers up, 4 smaller, 5 the most, 6 the price, 7 left over, 8 nobody chose.
  const settle = along(t, s[6], 1), leave = along(t, s[8], 1.2), most = along(t, s[5] + 0.4);
  let inner = "";
  for (let i = 0; i < 5; i++) {
    const chosen = PRICES[i] === 101;
    const dim = chosen ? 1 : mix(mix(1, 0.35, most), 0.08, leave);
    const strong = chosen ? most : 0;
    inner += words(MIDDLE, ROW(i) + 25, PRICES[i], { anchor: "middle", size: mix(22, 30, strong), opacity: along(t, 0.3 + i * 0.1) * dim, colour: strong > 0.5 ? MARK : PALE });
    const arriving = (side) => (k) => along(t, 0.6 + ((i * 5 + k * 3 + (side > 0 ? 2 : 0)) % 11) * 0.33, 0.5);
    const added = (side, total, own, from, order) => (k) => (k < own / 100 ? 1 : along(t, from + order * 0.55 + (k - own / 100) * 0.03, 0.4));
    const traded = TRADED[i] / 100;
    for (const side of [-1, 1]) {
      const own = side < 0 ? BUY[i] : SELL[i], total = side < 0 ? UP[i] : DOWN[i];
      const from = side < 0 ? s[2] + 0.8 : s[3] + 0.5, order = side < 0 ? i : 4 - i;
      const sum = along(t, from + order * 0.55);
      // What is added from other prices is pale; what can trade is marked.
      inner += blocks(side, i, total, added(side, total, own, from, order), LINE, (t < from ? 0 : 0.3) * dim);
      inner += blocks(side, i, own, arriving(side), LINE, 0.95 * dim * mix(1, 0.55, along(t, s[4])));
      const lit = chosen ? s[5] + 1.2 : s[4] + 1.6 + Math.abs(i - 2) * 0.5;
      const show = along(t, lit) * (chosen ? 1 : 1 - settle);
      inner += blocks(side, i, TRADED[i], () => 1, MARK, (chosen ? 0.95 : 0.6) * show * dim);
      const edge = MIDDLE + side * (GAP + (total / 100) * UNIT + 12);
      inner += words(edge, ROW(i) + 24, count(total), { size: 17, colour: LINE, anchor: side < 0 ? "end" : "start", opacity: sum * dim * (1 - settle) });
      if (chosen && side < 0) {
        const wait = along(t, s[7]) * (1 - leave);
        const x = MIDDLE - GAP - traded * UNIT - UNIT + 2;
        inner += rect(x, ROW(i), UNIT - 2, HEIGHT, PALE, wait) + words(x - 12, ROW(i) + 24, "100 left over", { size: 18, anchor: "end", opacity: wait });
      }
    }
    if (chosen) {
      inner += line(60, ROW(i) + HEIGHT + 8, 900, ROW(i) + HEIGHT + 8, MARK, 1.5, settle) +
        words(904, ROW(i) + 24, "800 traded, all at 101", { size: 20, colour: MARK, anchor: "end", opacity: settle });
    } else {
      inner += words(MIDDLE, ROW(i) + HEIGHT + 14, count(TRADED[i]), { size: 13, colour: MARK, anchor: "middle", opacity: along(t, s[4] + 1.6 + Math.abs(i - 2) * 0.5) * (1 - settle) });
    }
  }
  const named = along(t, s[1], 0.8) * (1 - leave);
  inner += words(MIDDLE - GAP, 106, "Buyers", { anchor: "end", size: 18, opacity: named }) + words(MIDDLE + GAP, 106, "Sellers", { size: 18, opacity: named });
  inner += words(904, 52, "One block is 100 shares", { size: 15, anchor: "end", colour: FAINT, opacity: along(t, s[1], 0.8) * (1 - leave) });
  return stage("An auction clears", "How Auctions Work, lesson 2", inner, along(t, 0.1, 0.8));
};
