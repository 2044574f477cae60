// What a form's answers mean: which fields are seen and required, what is calculated, which steps are walked. The same as
// app/formbuilder/logic/evaluation.py and trees.py, which decide; docs/forms.md tells every rule.
const list = Array.isArray;
const own = (object, key) => (Object.hasOwn(object, key) ? object[key] : undefined);
const plain = (v) => (v == null ? "" : list(v) ? v.join("\n") : `${v}`);
const said = (v) => (list(v) ? v.join(", ") : plain(v));
const fold = (v) => plain(v).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
const cut = (text, n) => (text.length > n ? [...text].slice(0, n).join("") : text);
const number = (v) => (typeof v == "number" ? v : /^-?\d{1,15}(\.\d{1,15})?$/.test(plain(v)) ? +plain(v) + 0 : null);
// app/core/money.py: plain_digits
const digits = (text) => text.replace(/[ \xa0]/g, "").replace(/[.,](?=.*,\d\d?$)|,(?!\d\d?$)|\.$/g, "").replace(",", ".");
const finite = (n) => (Number.isFinite(n) ? n + 0 : null);
const truth = (v) => v != null && v !== 0;
const day = (v) => {
  const [, y, m, d] = /^([1-9]\d{3})-(\d\d)-(\d\d)$/.exec(plain(v)) ?? [];
  const at = y && Date.UTC(y, m - 1, d);
  return y && new Date(at).getUTCDate() == d && new Date(at).getUTCMonth() == m - 1 ? at / 864e5 : null;
};
const equal = (a, b) => {
  if (a == null || b == null) return a == b;
  const [x, y] = typeof a == "number" || typeof b == "number" ? [number(a), number(b)] : [null, null];
  return x != null && y != null ? x === y : fold(a) === fold(b);
};
const order = (a, b) => {
  for (const read of [number, day]) {
    const [x, y] = [read(a), read(b)];
    if (x != null && y != null) return x - y;
  }
  return NaN;
};
const numbers = (all) => all.flat().map(number).filter((n) => n != null);
const some = (v, work) => ((v = number(v)) == null ? null : finite(work(v)));
const add = (...all) => finite(all.reduce((sum, v) => sum + number(v), 0));
const concat = (...all) => cut(all.map(said).join(""), 5e3) || null;

const operators = {
  __proto__: null,
  and: (...all) => all.every(truth),
  or: (...all) => all.some(truth),
  not: (a) => !truth(a),
  "=": equal,
  "!=": (a, b) => !equal(a, b),
  "<": (a, b) => order(a, b) < 0,
  "<=": (a, b) => order(a, b) <= 0,
  ">": (a, b) => order(a, b) > 0,
  ">=": (a, b) => order(a, b) >= 0,
  in: (a, b) => (list(a) ? a.some((each) => equal(each, b)) : fold(a).includes(fold(b))),
  starts: (a, b) => fold(a).startsWith(fold(b)),
  ends: (a, b) => fold(a).endsWith(fold(b)),
  re: (a, pattern, longest) => [...plain(a)].length <= longest && new RegExp(pattern ?? "", "u").test(plain(a)),
  "+": add,
  neg: (a) => finite(-number(a)),
  "*": (...all) => finite(all.reduce((product, v) => product * number(v), 1)),
  "/": (a, b) => finite(number(a) / number(b)),
  "%": (a, b) => finite(number(a) % number(b)),
  sum: (...all) => add(...all.flat()),
  min: (...all) => finite(Math.min(...numbers(all))),
  max: (...all) => finite(Math.max(...numbers(all))),
  round: (a, n, power = +`1e${Math.min(15, Math.max(0, Math.trunc(number(n))))}`) =>
    some(a, (x) => Math.floor(x * power + 0.5) / power),
  floor: (a) => some(a, Math.floor),
  ceil: (a) => some(a, Math.ceil),
  abs: (a) => some(a, Math.abs),
  count: (...all) => all.flat().filter((v) => v != null).length,
  length: (a) => (list(a) ? a : [...plain(a)]).length,
  concat,
  days_between: (a, b) => ((a = day(a)), (b = day(b)), a == null || b == null ? null : b - a),
};

export function evaluate(plan, posted, today) {
  const values = Object.create(null), visible = new Set(), required = new Set(), steps = [];
  const run = (tree) => {
    if (!list(tree)) return tree === "" ? null : tree;
    const [word, a, b, c] = tree;
    if (word === "v") return values[a] ?? null;
    if (word === "today") return today || null;
    if (word === "if") return run(truth(run(a)) ? b : c);
    if (word === "points" || word === "price") {
      const worth = own(plan.worth[word], a) ?? {}, chosen = values[a] ?? [];
      return add(...[chosen].flat().map((option) => own(worth, plain(option))));
    }
    const found = operators[word](...tree.slice(1).map(run));
    return typeof found == "boolean" ? +found : found;
  };
  const holds = (tree) => truth(run(tree));
  const read = (kind, sent) => {
    const texts = sent.map((each) => cut(each.replace(/\r\n?/g, "\n").trim(), 1e4));
    const [text = ""] = texts, chosen = [...new Set(texts)].filter(Boolean).slice(0, 500);
    if (kind === "choices") return chosen.length ? chosen : null;
    if (kind === "number") return number(digits(text));
    return kind === "date" && day(text) == null ? null : text || null;
  };
  const keep = (name, value) => value == null || (values[name] = value);
  let wanted;
  for (const step of plan.steps) {
    if (wanted && step.id !== wanted) continue;
    wanted = null;
    if (!holds(step.if ?? 1)) continue;
    steps.push(step.id);
    for (const { id, g, if: seen = 1, x, d, names = {} } of step.nodes) {
      if ((g && !visible.has(g)) || !holds(seen)) continue;
      visible.add(id);
      if (x === undefined) for (const name of Object.keys(names)) keep(name, read(names[name], own(posted, name) ?? []));
      else {
        const found = run(x);
        keep(id, list(found) ? concat(found) : d != null && typeof found == "number" ? operators.round(found, d) : found);
      }
    }
    for (const { id, r = 0 } of step.nodes) if (visible.has(id) && holds(r)) required.add(id);
    wanted = step.jumps?.find(([tree]) => holds(tree))?.[1];
  }
  return { visible, required, values, steps };
}
