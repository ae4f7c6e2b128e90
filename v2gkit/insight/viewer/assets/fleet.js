// The page of a fleet: one small chart for each outlet and one for all, on one axis of time.
import { amount, byId, clock, el, fill, nextFrame } from "./dom.js";
import { band, panel, paper, pixelOf, placeOf, rangeOf, timeAxis, timeOf, valueAt } from "./plot.js";
/** The sum of curves, each of which holds its value until its next. @param {any[][]} curves with their ends @returns {any} */
export function sumOf(curves) {
  const rises = ({ xs, ys }) => xs.map((x, i) => [x, ys[i] - (i ? ys[i - 1] : 0)]);
  const ends = ({ xs, ys }, end) => [Math.max(end, xs.at(-1)), -ys.at(-1)], [xs, ys] = /** @type {number[][]} */ ([[], []]);
  const sum = { name: "power", unit: "W", role: "power", step: true, until: null, low: 0, high: 0, xs, ys };
  const changes = curves.flatMap(([series, end]) => [...rises(series), ends(series, end)]);
  let value = 0;
  for (const [x, change] of changes.sort((a, b) => a[0] - b[0])) {
    value += change;
    if (sum.xs[sum.xs.length - 1] === x) sum.ys.pop(), sum.xs.pop();
    sum.xs.push(x); sum.ys.push(Math.abs(value) < 1e-6 ? 0 : value);
    [sum.low, sum.high] = [Math.min(sum.low, value), Math.max(sum.high, value)];
  }
  return sum;
}
/** Curves of these roles. @param {any} of @param {...string} roles */
const curvesOf = (of, ...roles) => [...of.series.values()].filter((s) => roles.includes(s.role) && s.xs.length);
/** Connections as one side saw them, the station's if it is there: what both tell counts once. @param {Map<number, any>} connections */
function oneSide(connections) {
  const all = [...connections.values()], side = ["secc", "csms", "evcc"].find((name) => all.some(({ about }) => about.side === name));
  return all.filter(({ about }) => about.side === side);
}
export class Fleet {
  cells = /** @type {any[]} the first: all */ ([]); known = ""; total = sumOf([]);
  redraw = nextFrame(() => this.draw()); move = nextFrame(() => this.point());
  /** @param {import("./store.js").App} app */ constructor(app) { this.app = app; new ResizeObserver(this.redraw).observe(byId("fleet")); }
  /** Makes a cell for each outlet, anew where there are others. */ build() {
    const all = oneSide(this.app.store.connections), nameOf = ({ c, about }) => about.outlet || about.source || `connection ${c}`;
    const names = [...new Set(all.map(nameOf))], known = JSON.stringify(all.map((of) => [nameOf(of), of.told]));
    if (known === this.known) return; else this.known = known;
    this.cells = ["All together", ...names].map((name, i) => ({ name, of: i ? all.filter((of) => nameOf(of) === name) : all,
      canvas: el("canvas"), line: el("i.line"), says: el("p.says"), span: { t0: 0, t1: 1, left: 56, right: 100 } }));
    fill(byId("fleet"), this.cells.map((cell, i) => {
      const time = (event) => timeOf(cell.span, event.clientX - cell.canvas.getBoundingClientRect().left), { name } = cell;
      const open = (t) => this.app.visit((cell.of.filter((of) => of.from <= t).pop() ?? cell.of[0]).c, t);
      const failed = cell.of.filter(({ verdict }) => verdict && !verdict.well).length, label = `${name}: open its session`;
      const said = `sessions: ${cell.of.length}${failed ? `, ${failed} failed` : ""}`, onclick = (event) => open(time(event));
      const what = { "data-outlet": name, tabindex: "0", role: "link", "aria-label": label, onclick };
      const acts = i ? { ...what, onkeydown: ({ key }) => key === "Enter" && open(this.app.at ?? Infinity) } : {};
      return el(i ? "article.outlet" : "article.outlet.all", { ...acts, onpointermove: (event) => this.app.cursor(time(event)) },
        el("h3", name, " ", el("small", i ? said : `outlets: ${names.length}`)), el("div.plot", cell.canvas, cell.line), cell.says);
    }));
  }
  draw() {
    if (byId("fleet").hidden) return; else this.build();
    const all = oneSide(this.app.store.connections), t0 = Math.min(...all.map((of) => of.from));
    const t1 = Math.max(...all.map((of) => of.until), t0 + 1), range = rangeOf(all.flatMap((of) => curvesOf(of, "power", "limit")));
    this.total = sumOf(all.flatMap((of) => curvesOf(of, "power").map((s) => [s, of.until])));
    this.cells.forEach((cell, i) => {
      const { width, height } = cell.canvas.getBoundingClientRect(), ctx = paper(cell.canvas, width, height), end = height - 20;
      const curves = cell.of.flatMap((of) => curvesOf(of, "power", "limit").map((s) => ({ ...s, until: s.until ?? of.until })));
      cell.span = { t0, t1, left: 56, right: width - 6 }; timeAxis(ctx, cell.span, 4, end);
      if (!i) panel(ctx, [this.total], cell.span, 6, end, t1); else if (curves[0]) panel(ctx, curves, cell.span, 6, end - 20, t1, range);
      for (const of of i ? cell.of : []) for (const s of curvesOf(of, "limited-by")) band(ctx, s, cell.span, end - 17, 16, of.until);
    });
    this.point();
  }
  /** The cursor over all of them, and what each says there. */ point() {
    this.cells.forEach((cell, i) => {
      const when = this.app.at ?? cell.span.t1, of = cell.of.filter((one) => one.from <= when).pop(), said = [clock(when, 1e4)];
      cell.line.hidden = this.app.at === null; cell.line.style.transform = `translateX(${pixelOf(cell.span, when)}px)`;
      if (!i) said.push(amount(this.total.ys[placeOf(this.total.xs, when)] ?? 0, "W"));
      const told = (...roles) => (i && of ? curvesOf(of, ...roles) : []).map((s) => [s.label, valueAt(s, when, of.until)]);
      for (const [name, value] of told("power", "limited-by")) if (value !== null) said.push(`${name} ${amount(value, "W")}`);
      const limits = told("limit").flatMap(([label, value]) => (label.endsWith("discharging") ? [] : value ?? []));
      if (limits.length) said.push(`at most ${amount(Math.min(...limits), "W")}`);
      fill(cell.says, said.join(" · "), said.length < 2 && " · no session");
    });
  }
}
