// The pane of time: every curve of a connection over one axis, with one cursor, and all values at it as text.
import { amount, byId, clock, dated, el, fill, nextFrame } from "./dom.js";
import { band, colour, line, lookOf, panel, paper, pixelOf, timeAxis, timeOf, valueAt, write } from "./plot.js";
/** Curves that are shown and hidden as one: both directions of a plan or limit; a schedule in all offers, of which one holds at a time. */
const groupOf = (/** @type {any} */ series, /** @type {string} */ what) => series[what].replace(/,? (dis)?charging$/, "")
  .replace(/^offer \d+\./, "offer ").replace(/^Offer \d+, schedule (\d+)/, "Schedule $1 offered");
const LEGEND = ["power", "soc", "profile", "asked", "import-price", "export-price", "limited-by", "limit", "offer"];
export class Chart {
  canvas = /** @type {HTMLCanvasElement} */ (byId("chart")); picture = document.createElement("canvas"); // all but the cursor
  width = 0; height = 0; known = ""; moved = false; span = { t0: 0, t1: 1, left: 58, right: 100 };
  hidden = /** @type {Set<string>} groups */ (new Set()); values = /** @type {Map<string, HTMLElement>} of each group */ (new Map());
  down = /** @type {Map<number, number>} x of each finger */ (new Map()); drag = /** @type {number[]|null} x of its ends */ (null);
  redraw = nextFrame(() => this.draw()); move = nextFrame(() => this.blit());
  /** @param {import("./store.js").App} app */
  constructor(app) { this.app = app; new ResizeObserver(this.redraw).observe(this.canvas); this.listen(); }
  /** All curves, or those that are not hidden. @param {boolean} [all] */ curves(all = false) {
    const every = [...(this.app.of()?.series.values() ?? [])].filter((s) => s.xs.length);
    every.sort((a, b) => LEGEND.indexOf(a.role) - LEGEND.indexOf(b.role));
    return all ? every : every.filter((s) => !this.hidden.has(groupOf(s, "name")));
  }
  /** Draws everything but the cursor, once. */ draw() {
    const { width, height } = this.canvas.getBoundingClientRect(), of = this.app.of();
    if (!width || !height) return;
    const [t0, t1] = this.app.range ?? (of && of.from <= of.until ? of.whole : [0, 1]);
    [this.width, this.height, this.span] = [width, height, { t0, t1, left: 58, right: width - 10 }];
    const ctx = paper(this.picture, width, height), curves = this.curves(), end = of?.until ?? t1, bottom = height - 22, span = this.span;
    const words = curves.filter((s) => s.role === "limited-by"), lines = curves.filter((s) => s.role !== "limited-by");
    const share = (unit) => (unit === "W" ? 2.6 : 1), units = [...new Set(lines.map((s) => s.unit))].sort((a, b) => share(b) - share(a));
    const room = bottom - 4 - words.length * 20 - units.length * 18, shares = units.reduce((sum, unit) => sum + share(unit), 0);
    let top = 2; timeAxis(ctx, span, top + 4, bottom);
    for (const unit of units) {
      const foot = top + 16 + (room * share(unit)) / shares, names = { W: "Power: + into the car, − out of it", "%": "Battery" };
      write(ctx, names[unit] ?? (unit.includes("/") ? `Prices, ${unit}` : unit), span.left + 2, top + 8, "left", "soft", "600");
      panel(ctx, lines.filter((s) => s.unit === unit), span, top + 16, foot, end); top = foot + 2;
      for (const s of unit === units[0] ? words : []) band(ctx, s, span, (top += 20) - 18, 16, end);
    }
    if (!curves.length) write(ctx, of ? "nothing was measured here" : "no connection is selected", width / 2, height / 2, "center");
    const foot = (items, hue, size) => { // marks at the foot
      const seen = items.filter(({ epoch }) => epoch >= t0 && epoch <= t1).map(({ epoch }) => pixelOf(span, epoch)), tall = size * 1.6;
      ctx.fillStyle = colour(hue); ctx.fill(new Path2D(seen.map((x) => `M${x} ${bottom - tall}l${size} ${tall}h${-2 * size}`).join("")));
    };
    foot(this.app.hits(), "accent", 3); foot(of?.failures ?? [], "bad", 4.5); foot([this.app.item()].filter(Boolean), "ink", 5);
    this.legend(); this.blit(); this.table();
    const said = curves.filter((s) => s.low <= s.high).map((s) => `${s.label}: ${amount(s.low, s.unit)} to ${amount(s.high, s.unit)}`);
    const description = `From ${dated(t0)} to ${dated(t1)} UTC. ${said.join("; ")}`;
    const told = Object.entries({ valuemin: Math.round(t0), valuemax: Math.round(t1), description });
    for (const [name, value] of told) this.canvas.setAttribute(`aria-${name}`, String(value));
  }
  /** Puts the picture on the page, and the cursor over it. */ blit() {
    if (!this.width) return;
    const ctx = paper(this.canvas, this.width, this.height), at = this.app.at; ctx.drawImage(this.picture, 0, 0, this.width, this.height);
    if (this.drag) {
      Object.assign(ctx, { fillStyle: colour("accent"), globalAlpha: 0.2 });
      ctx.fillRect(this.drag[0], 0, this.drag[1] - this.drag[0], this.height - 22); ctx.globalAlpha = 1;
    }
    const x = pixelOf(this.span, at), end = this.app.of()?.until ?? 0, said = /** @type {Map<string, string[]>} */ (new Map());
    if (at !== null && at >= this.span.t0 && at <= this.span.t1) line(ctx, "ink", x, 4, x, this.height - 20);
    for (const s of at === null ? [] : this.curves()) {
      const value = valueAt(s, at ?? 0, end), group = groupOf(s, "name");
      if (value !== null) said.set(group, [...(said.get(group) ?? []), amount(value, s.unit)]);
    }
    for (const [group, place] of this.values) place.textContent = said.get(group)?.join(" / ") ?? "";
    byId("moment").textContent = at === null ? "Point at the chart" : `${clock(at, this.span.t1 - this.span.t0 > 20 ? 60 : 1)} UTC`;
    this.canvas.setAttribute("aria-valuenow", String(Math.round(at ?? this.span.t0)));
    const spoken = [...said].map(([group, values]) => `${group} ${values.join(" / ")}`);
    this.canvas.setAttribute("aria-valuetext", [byId("moment").textContent, ...spoken].join(", "));
  }
  /** Names of the curves, each a button that hides and shows it, with its value at the cursor. */ legend() {
    const all = this.curves(true), known = JSON.stringify([all.map((s) => [s.name, s.label, s.chosen]), [...this.hidden], colour("ink")]);
    if (known === this.known) return;
    [this.known, this.values] = [known, new Map()];
    const swatch = (hue, width, dash) => {
      const made = el("i.swatch"), kind = dash.length ? (dash[0] < 3 ? "dotted" : "dashed") : "solid";
      made.style.borderTop = `${width + 1.4}px ${kind} ${colour(hue)}`; return made;
    };
    fill(byId("legend"), [...new Map(all.map((s) => [groupOf(s, "name"), s]))].map(([group, s]) => {
      const value = el("b"), onclick = () => { this.hidden.delete(group) || this.hidden.add(group); this.redraw(); };
      const swatches = [swatch(...lookOf(s)), s.role === "power" && swatch("discharge", 1, [])], offered = s.role === "offer";
      const its = all.filter((one) => offered && groupOf(one, "name") === group), taken = its.filter((one) => one.chosen).length;
      const chosen = taken ? ` ✓ chosen${taken < its.length ? " at times" : ""}` : "";
      this.values.set(group, value);
      return el("button", { type: "button", "aria-pressed": String(!this.hidden.has(group)), onclick }, swatches,
        el("span", groupOf(s, "label") || s.name, chosen), value);
    }));
  }
  /** The chart as a table, for who does not see it; made when it is opened. */ table() {
    if (!(/** @type {HTMLDetailsElement} */ (byId("numbers")).open)) return;
    const { t0, t1 } = this.span, curves = this.curves(), end = this.app.of()?.until ?? t1;
    const names = curves.map((s) => el("th", { scope: "col" }, s.label));
    const rows = Array.from({ length: 25 }, (_, i) => t0 + ((t1 - t0) * i) / 24).map((t) => el("tr", el("th", { scope: "row" },
      clock(t, Math.min(t1 - t0, 86400))), curves.map((s) => el("td", amount(valueAt(s, t, end), s.unit) || "–"))));
    fill(byId("table"), el("table", el("caption", "Values over time, UTC"), el("tr", el("th", "time"), names), rows));
  }
  /** Zooms about a time; a factor below 1 shows less. @param {number} factor @param {number} [about] */
  zoom(factor, about = this.app.at ?? (this.span.t0 + this.span.t1) / 2) {
    const of = this.app.of(), { t0, t1 } = this.span, from = about - (about - t0) * factor, to = about + (t1 - about) * factor;
    const range = of && [Math.max(from, of.from), Math.min(to, Math.max(of.whole[1], of.planned))];
    if (!of || factor === Infinity || String(range) === String(of.whole)) this.app.zoom(null);
    else if (to - from > 1e-3) this.app.zoom(range);
  }
  /** Moves what is shown by a share of its length. @param {number} share */ pan(share) {
    const of = this.app.of(), { t0, t1 } = this.span, last = Math.max(of?.whole[1] ?? t1, of?.planned ?? t1);
    const from = Math.max(of?.from ?? t0, Math.min(last - t1 + t0, t0 + share * (t1 - t0)));
    if (this.app.range) this.app.zoom([from, from + t1 - t0]);
  }
  /** @param {PointerEvent} event @param {number} x */ pointed(event, x) {
    const id = event.pointerId, before = this.down.get(id), held = before !== undefined;
    const [, other] = [...this.down].find(([i]) => i !== id) ?? [];
    if (held && Math.abs(x - before) > 4) this.moved = true;
    if (held && other !== undefined) { // two fingers: what is under them stays under them
      if (Math.abs(x - other) > 12) this.zoom(Math.abs(before - other) / Math.abs(x - other), timeOf(this.span, other));
      this.down.set(id, x);
    } else if (held && event.shiftKey) { this.pan((before - x) / (this.span.right - this.span.left)); this.down.set(id, x); } else {
      if (held && this.moved && event.pointerType === "mouse") this.drag = [before, x];
      this.app.cursor(timeOf(this.span, x));
    }
  }
  listen() {
    const xOf = (event) => event.clientX - this.canvas.getBoundingClientRect().left;
    const on = (names, work) => names.split(" ").forEach((name) => this.canvas.addEventListener(name, work, { passive: false }));
    on("wheel", (event) => {
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX / 1000);
      else this.zoom(Math.exp(Math.max(-200, Math.min(200, event.deltaY)) * 0.002), timeOf(this.span, xOf(event)));
    });
    on("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId); this.moved = this.down.set(event.pointerId, xOf(event)).size > 1;
      this.pointed(event, xOf(event));
    });
    on("pointermove", (event) => this.pointed(event, xOf(event)));
    on("pointerup pointercancel", (event) => {
      const drag = this.drag; this.down.delete(event.pointerId); this.drag = null;
      if (drag) this.app.zoom(drag.map((x) => timeOf(this.span, x)).sort((a, b) => a - b));
      else if (event.type === "pointerup" && !this.moved) this.app.pick(timeOf(this.span, xOf(event)));
      this.move();
    });
    on("dblclick", () => this.app.zoom(null));
    on("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[/** @type {string} */ (event.key)], { t0, t1 } = this.span;
      if (!way) return;
      event.preventDefault();
      if (event.shiftKey) this.pan(way / 10);
      else this.app.cursor(Math.min(t1, Math.max(t0, (this.app.at ?? t0) + (way * (t1 - t0)) / 100)));
    });
    byId("numbers").addEventListener("toggle", () => this.table());
    const buttons = Object.entries({ wider: 2, closer: 0.5, whole: Infinity });
    for (const [id, by] of buttons) byId(id).addEventListener("click", () => this.zoom(by));
  }
}
