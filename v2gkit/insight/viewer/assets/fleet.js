// @ts-check
// The page of a fleet: one small chart for each outlet and one for all, on one axis of time.
import { amount, byId, clock, el, fill, nextFrame } from "./dom.js";
import { band, panel, paper, pixelOf, placeOf, rangeOf, timeAxis, timeOf, valueAt } from "./plot.js";

/** @typedef {import("./store.js").Connection} Connection */
/** @typedef {import("./store.js").Series} Series */
/** @typedef {{name: string, of: Connection[], canvas: HTMLCanvasElement, line: HTMLElement, says: HTMLElement, span: import("./plot.js").Span}} Cell an outlet, the first: all */

/** The sum of curves, each of which holds its value until its next. @param {[Series, number][]} curves with their ends @returns {Series} */
export function sumOf(curves) {
  const changes = curves.flatMap(([{ xs, ys }, end]) => [...xs.map((x, i) => [x, ys[i] - (i ? ys[i - 1] : 0)]), ...(xs.length ? [[Math.max(end, xs[xs.length - 1]), -ys[ys.length - 1]]] : [])]);
  /** @type {Series} */ const sum = { name: "power", label: "All together", unit: "W", role: "power", step: true, chosen: false, until: null, xs: [], ys: [], low: 0, high: 0 };
  let value = 0;
  for (const [x, change] of changes.sort((a, b) => a[0] - b[0])) {
    value += change;
    if (sum.xs[sum.xs.length - 1] === x) sum.ys.pop(), sum.xs.pop();
    sum.xs.push(x);
    sum.ys.push(Math.abs(value) < 1e-6 ? 0 : value);
    [sum.low, sum.high] = [Math.min(sum.low, value), Math.max(sum.high, value)];
  }
  return sum;
}

export class Fleet {
  /** @param {{store: import("./store.js").Store, cursor: (epoch: number) => void, pick: (c: number, epoch: number) => void}} host */
  constructor(host) {
    this.host = host;
    /** @type {Cell[]} */ this.cells = [];
    /** @type {number|null} */ this.at = null;
    this.known = "";
    this.total = sumOf([]);
    this.redraw = nextFrame(() => this.draw());
    this.move = nextFrame(() => this.point());
    new ResizeObserver(this.redraw).observe(byId("fleet"));
  }
  /** Makes a cell for each outlet, anew where there are others. */
  build() {
    const all = [...this.host.store.connections.values()], nameOf = (/** @type {Connection} */ of) => of.about.outlet || of.about.source || `connection ${of.c}`, names = [...new Set(all.map(nameOf))];
    if (JSON.stringify(all.map(nameOf)) === this.known) return;
    this.known = JSON.stringify(all.map(nameOf));
    this.cells = ["All together", ...names].map((name, i) => ({ name, of: i ? all.filter((of) => nameOf(of) === name) : all, canvas: document.createElement("canvas"), line: el("i.line"), says: el("p.says"), span: { t0: 0, t1: 1, left: 56, right: 100 } }));
    fill(byId("fleet"), this.cells.map((cell, i) => {
      const time = (/** @type {MouseEvent} */ event) => timeOf(cell.span, event.clientX - cell.canvas.getBoundingClientRect().left), failed = cell.of.filter((of) => of.verdict && !of.verdict.well).length;
      const open = (/** @type {number} */ t) => this.host.pick((cell.of.filter((of) => of.from <= t).pop() ?? cell.of[0]).c, t);
      const acts = i ? { tabindex: "0", role: "link", "aria-label": `${cell.name}: open its session`, onclick: (/** @type {MouseEvent} */ event) => open(time(event)), onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && open(this.at ?? Infinity) } : {};
      return el(i ? "article.outlet" : "article.outlet.all", { ...acts, "data-outlet": i ? cell.name : null, onpointermove: (/** @type {MouseEvent} */ event) => this.host.cursor(time(event)) },
        el("h3", cell.name, " ", el("small", i ? `${cell.of.length} session${cell.of.length > 1 ? "s" : ""}${failed ? `, ${failed} failed` : ""}` : `${names.length} outlets`)), el("div.plot", cell.canvas, cell.line), cell.says);
    }));
  }
  draw() {
    if (byId("fleet").hidden) return;
    this.build();
    const all = [...this.host.store.connections.values()], t0 = Math.min(...all.map((of) => of.from)), t1 = Math.max(...all.map((of) => of.until), t0 + 1);
    const curves = (/** @type {Connection} */ of, /** @type {string[]} */ ...roles) => [...of.series.values()].filter((s) => roles.includes(s.role) && s.xs.length), range = rangeOf(all.flatMap((of) => curves(of, "power", "limit")));
    this.total = sumOf(all.flatMap((of) => curves(of, "power").map((s) => /** @type {[Series, number]} */ ([s, of.until]))));
    this.cells.forEach((cell, i) => {
      const { width, height } = cell.canvas.getBoundingClientRect(), ctx = paper(cell.canvas, width, height), bottom = height - (i ? 40 : 20);
      cell.span = { t0, t1, left: 56, right: width - 6 };
      timeAxis(ctx, cell.span, 4, height - 20);
      if (!i) panel(ctx, [this.total], cell.span, 6, bottom, t1);
      for (const of of i ? cell.of : []) {
        if (curves(of, "power").length) panel(ctx, curves(of, "power", "limit"), cell.span, 6, bottom, of.until, range);
        for (const s of curves(of, "limited-by")) band(ctx, s, cell.span, bottom + 3, 16, of.until);
      }
    });
    this.point();
  }
  /** The cursor over all of them, and what each says there. */
  point() {
    this.cells.forEach((cell, i) => {
      const when = this.at ?? cell.span.t1, of = cell.of.filter((one) => one.from <= when).pop(), said = [clock(when, 1e4)];
      cell.line.hidden = this.at === null;
      cell.line.style.transform = `translateX(${pixelOf(cell.span, when)}px)`;
      if (!i) said.push(amount(this.total.ys[placeOf(this.total.xs, when)] ?? 0, "W"));
      for (const s of i && of ? of.series.values() : []) {
        const value = /^(power|limit|limited-by)$/.test(s.role) && of ? valueAt(s, when, of.until) : null;
        if (value !== null) said.push(`${s.role === "limited-by" ? "limited by" : s.label} ${amount(value, s.unit)}`);
      }
      fill(cell.says, said.join(" · "));
    });
  }
}
