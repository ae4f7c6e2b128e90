// @ts-check
// The pane of time: every curve of a connection over one axis, with one cursor, and all values at it as text.
import { amount, byId, clock, dated, el, fill, nextFrame } from "./dom.js";
import { band, colour, line, lookOf, panel, paper, pixelOf, timeAxis, timeOf, valueAt, write } from "./plot.js";

/** @typedef {import("./store.js").Series} Series */
/** @typedef {[number, number]|null} Range epochs, null: all there is */
/** @typedef {import("./store.js").Connection|undefined} Of */
/** @typedef {{connection: () => Of, item: () => any, hits: () => any[], range: () => Range, zoom: (range: Range) => void}} ChartState */
/** @typedef {ChartState & {cursor: (epoch: number) => void, pick: (epoch: number) => void}} ChartHost */

/** Curves that are shown and hidden as one: both directions of one plan or limit. @param {Series} series @param {"name"|"label"} what */
const groupOf = (series, what) => series[what].replace(/,? (dis)?charging$/, "");

/** The order of curves in the legend. */
const ROLES = ["power", "soc", "profile", "asked", "import-price", "export-price", "limited-by", "limit", "offer"];

export class Chart {
  width = 0; height = 0; known = ""; moved = false;
  /** @param {ChartHost} host */
  constructor(host) {
    this.host = host;
    this.canvas = /** @type {HTMLCanvasElement} */ (byId("chart"));
    this.picture = document.createElement("canvas"); // all but the cursor
    /** @type {Set<string>} groups */ this.hidden = new Set();
    /** @type {number|null} */ this.at = null;
    /** @type {import("./plot.js").Span} */ this.span = { t0: 0, t1: 1, left: 58, right: 100 };
    /** @type {Map<string, HTMLElement>} where the values of each group stand */ this.values = new Map();
    /** @type {Map<number, number>} x of each finger or button that is down */ this.down = new Map();
    /** @type {[number, number]|null} x where a drag began, and where it is */ this.drag = null;
    this.redraw = nextFrame(() => this.draw());
    this.move = nextFrame(() => this.blit());
    new ResizeObserver(this.redraw).observe(this.canvas);
    this.listen();
  }
  /** All curves, or those that are not hidden. @param {boolean} [all] @returns {Series[]} */
  curves(all = false) {
    const every = [...(this.host.connection()?.series.values() ?? [])].filter((s) => s.xs.length);
    every.sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role));
    return all ? every : every.filter((s) => !this.hidden.has(groupOf(s, "name")));
  }
  /** Draws everything but the cursor, once. */
  draw() {
    const { width, height } = this.canvas.getBoundingClientRect(), of = this.host.connection();
    if (!width || !height) return;
    const [t0, t1] = this.host.range() ?? (of && of.from <= of.until ? [of.from, Math.max(of.until, of.from + 0.01)] : [0, 1]);
    [this.width, this.height, this.span] = [width, height, { t0, t1, left: 58, right: width - 10 }];
    const ctx = paper(this.picture, width, height), curves = this.curves(), end = of?.until ?? t1, bottom = height - 22, span = this.span;
    const words = curves.filter((s) => s.role === "limited-by"), lines = curves.filter((s) => s.role !== "limited-by");
    const units = [...new Set(lines.map((s) => s.unit))].sort((a, b) => Number(b === "W") - Number(a === "W")), share = (/** @type {string} */ unit) => (unit === "W" ? 2.6 : 1);
    const room = bottom - 4 - words.length * 20 - units.length * 18, shares = units.reduce((sum, unit) => sum + share(unit), 0);
    let top = 2;
    timeAxis(ctx, span, top + 4, bottom);
    for (const unit of units) {
      const foot = top + 16 + (room * share(unit)) / shares, name = unit === "W" ? "Power: + into the car, − out of it" : unit === "%" ? "Battery" : unit.includes("/") ? `Prices, ${unit}` : unit;
      write(ctx, name, span.left + 2, top + 8, "left", "soft", "600");
      panel(ctx, lines.filter((s) => s.unit === unit), span, top + 16, foot, end);
      top = foot + 2;
      for (const s of unit === units[0] ? words : []) band(ctx, s, span, (top += 20) - 18, 16, end);
    }
    if (!curves.length) write(ctx, of ? "nothing was measured here" : "no connection is selected", width / 2, height / 2, "center");
    const foot = (/** @type {any[]} */ items, /** @type {string} */ hue, /** @type {number} */ size) => { // marks at the foot
      ctx.fillStyle = colour(hue);
      for (const { epoch } of items) {
        const x = pixelOf(span, epoch);
        if (epoch >= t0 && epoch <= t1) ctx.fill(new Path2D(`M${x} ${bottom - size * 1.6}l${size} ${size * 1.6}h${-2 * size}`));
      }
    };
    foot(this.host.hits().slice(0, 2000), "accent", 3);
    foot(of?.failures.slice(0, 2000) ?? [], "bad", 4.5);
    foot([this.host.item()].filter(Boolean), "ink", 5);
    this.legend();
    this.blit();
    const said = curves.map((s) => `${s.label || s.name}${s.low <= s.high ? `: ${amount(s.low, s.unit)} to ${amount(s.high, s.unit)}` : ""}`);
    for (const [name, value] of [["valuemin", Math.round(t0)], ["valuemax", Math.round(t1)], ["description", `From ${dated(t0)} to ${dated(t1)} UTC. ${said.join("; ")}`]]) this.canvas.setAttribute(`aria-${name}`, String(value));
    this.table();
  }
  /** Puts the picture on the page, and the cursor over it. */
  blit() {
    if (!this.width) return;
    const ctx = paper(this.canvas, this.width, this.height), at = this.at;
    ctx.drawImage(this.picture, 0, 0, this.width, this.height);
    if (this.drag) {
      Object.assign(ctx, { fillStyle: colour("accent"), globalAlpha: 0.2 });
      ctx.fillRect(this.drag[0], 0, this.drag[1] - this.drag[0], this.height - 22);
      ctx.globalAlpha = 1;
    }
    if (at !== null && at >= this.span.t0 && at <= this.span.t1) line(ctx, "ink", pixelOf(this.span, at), 4, pixelOf(this.span, at), this.height - 20);
    const end = this.host.connection()?.until ?? 0, /** @type {Map<string, string[]>} */ said = new Map();
    for (const s of at === null ? [] : this.curves()) {
      const value = valueAt(s, at ?? 0, end), group = groupOf(s, "name");
      if (value !== null) said.set(group, [...(said.get(group) ?? []), amount(value, s.unit)]);
    }
    for (const [group, place] of this.values) place.textContent = said.get(group)?.join(" / ") ?? "";
    byId("moment").textContent = at === null ? "Point at the chart" : `${clock(at, this.span.t1 - this.span.t0 > 20 ? 60 : 1)} UTC`;
    this.canvas.setAttribute("aria-valuenow", String(Math.round(at ?? this.span.t0)));
    this.canvas.setAttribute("aria-valuetext", [byId("moment").textContent, ...[...said].map(([group, values]) => `${group} ${values.join(" / ")}`)].join(", "));
  }
  /** Names of the curves, each a button that hides and shows it, with its value at the cursor. */
  legend() {
    const all = this.curves(true), known = JSON.stringify([all.map((s) => [s.name, s.label, s.chosen]), [...this.hidden], colour("ink")]);
    if (known === this.known) return;
    [this.known, this.values] = [known, new Map()];
    const groups = new Map(all.map((s) => [groupOf(s, "name"), s])), swatch = (/** @type {string} */ hue, /** @type {number} */ width, /** @type {number[]} */ dash) => {
      const made = el("i.swatch");
      made.style.borderTop = `${width > 2 ? 4 : 3}px ${dash.length ? "dashed" : "solid"} ${colour(hue)}`;
      return made;
    };
    fill(byId("legend"), [...groups].map(([group, s]) => {
      const value = el("b"), toggle = () => { this.hidden.delete(group) || this.hidden.add(group); this.redraw(); };
      this.values.set(group, value);
      return el("button", { type: "button", "aria-pressed": String(!this.hidden.has(group)), onclick: toggle }, swatch(...lookOf(s)), s.role === "power" && swatch("discharge", 1, []),
        el("span", groupOf(s, "label") || s.name, s.chosen && s.role === "offer" && " ✓ chosen"), value);
    }));
  }
  /** The chart as a table, for who does not see it; made when it is opened. */
  table() {
    if (!(/** @type {HTMLDetailsElement} */ (byId("numbers")).open)) return;
    const { t0, t1 } = this.span, curves = this.curves(), end = this.host.connection()?.until ?? t1, times = Array.from({ length: 25 }, (_, i) => t0 + ((t1 - t0) * i) / 24);
    fill(byId("table"), el("table", el("caption", "Values over time, UTC"), el("tr", el("th", "time"), curves.map((s) => el("th", { scope: "col" }, s.label || s.name))),
      times.map((t) => el("tr", el("th", { scope: "row" }, clock(t, Math.min(t1 - t0, 86400))), curves.map((s) => el("td", amount(valueAt(s, t, end), s.unit) || "–"))))));
  }
  /** Zooms about a time; a factor below 1 shows less. @param {number} factor @param {number} [about] */
  zoom(factor, about = this.at ?? (this.span.t0 + this.span.t1) / 2) {
    const of = this.host.connection(), { t0, t1 } = this.span, from = about - (about - t0) * factor, to = about + (t1 - about) * factor;
    if (!of || (from <= of.from && to >= of.until)) this.host.zoom(null);
    else if (to - from > 1e-3) this.host.zoom([Math.max(from, of.from), Math.min(to, Math.max(of.until, of.from + 0.01))]);
  }
  /** Moves what is shown by a share of its length. @param {number} share */
  pan(share) {
    const of = this.host.connection(), { t0, t1 } = this.span, from = Math.max(of?.from ?? t0, Math.min((of?.until ?? t1) - (t1 - t0), t0 + share * (t1 - t0)));
    if (this.host.range()) this.host.zoom([from, from + t1 - t0]);
  }
  /** @param {PointerEvent} event @param {number} x */
  pointed(event, x) {
    const before = this.down.get(event.pointerId), held = before !== undefined, other = [...this.down].find(([id]) => id !== event.pointerId)?.[1];
    if (held && Math.abs(x - before) > 4) this.moved = true;
    if (held && other !== undefined) { // two fingers: what is under them stays under them
      if (Math.abs(x - other) > 12) this.zoom(Math.abs(before - other) / Math.abs(x - other), timeOf(this.span, other));
      this.down.set(event.pointerId, x);
    } else if (held && event.shiftKey) {
      this.pan((before - x) / (this.span.right - this.span.left));
      this.down.set(event.pointerId, x);
    } else {
      if (held && this.moved && event.pointerType === "mouse") this.drag = [before, x];
      this.host.cursor(timeOf(this.span, x));
    }
  }
  listen() {
    const xOf = (/** @type {MouseEvent} */ event) => event.clientX - this.canvas.getBoundingClientRect().left;
    const on = (/** @type {string} */ names, /** @type {(event: any) => void} */ work) => names.split(" ").forEach((name) => this.canvas.addEventListener(name, work, { passive: false }));
    on("wheel", (event) => {
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX / 1000);
      else this.zoom(Math.exp(Math.max(-200, Math.min(200, event.deltaY)) * 0.002), timeOf(this.span, xOf(event)));
    });
    on("pointerdown", (event) => {
      this.down.set(event.pointerId, xOf(event));
      this.moved = this.down.size > 1;
      this.canvas.setPointerCapture(event.pointerId);
      this.pointed(event, xOf(event));
    });
    on("pointermove", (event) => this.pointed(event, xOf(event)));
    on("pointerup pointercancel", (event) => {
      const drag = this.drag;
      this.down.delete(event.pointerId);
      this.drag = null;
      if (drag) this.host.zoom(/** @type {[number, number]} */ (drag.map((x) => timeOf(this.span, x)).sort((a, b) => a - b)));
      else if (event.type === "pointerup" && !this.moved) this.host.pick(timeOf(this.span, xOf(event)));
      this.move();
    });
    on("dblclick", () => this.host.zoom(null));
    on("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[/** @type {string} */ (event.key)], { t0, t1 } = this.span;
      if (!way) return;
      event.preventDefault();
      if (event.shiftKey) this.pan(way / 10);
      else this.host.cursor(Math.min(t1, Math.max(t0, (this.at ?? t0) + (way * (t1 - t0)) / 100)));
    });
    byId("numbers").addEventListener("toggle", () => this.table());
    for (const [id, factor] of /** @type {[string, number][]} */ ([["wider", 2], ["closer", 0.5], ["whole", Infinity]])) byId(id).addEventListener("click", () => this.zoom(factor));
  }
}
