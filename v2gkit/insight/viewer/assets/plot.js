// Curves on a canvas: which points are needed for so many pixels, in which colour, on which axis.
import { amount, clock, legible } from "./dom.js";
/** @typedef {import("./store.js").Series} Series */
/** @typedef {{t0: number, t1: number, left: number, right: number}} Span a stretch of time and the pixels that it has */
/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {[string, number, number[]]} Look colour, width, dash */
/** Place of the last at or before a time, -1: all are later. @param {any[]} xs @param {number} t @param {(x: any) => number} [of] */
export function placeOf(xs, t, of = (x) => x) {
  let low = 0, high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(xs[middle]) <= t) low = middle + 1; else high = middle;
  }
  return low - 1;
}
/** What a curve says at a time; its last point holds until `end`. @param {Series} series @param {number} t @param {number} end */
export function valueAt({ xs, ys, step, until }, t, end) {
  const i = placeOf(xs, t);
  if (i < 0 || t > (until ?? end)) return null;
  if (i === xs.length - 1 || step || typeof ys[i] !== "number") return ys[i];
  return ys[i] + ((ys[i + 1] - ys[i]) * (t - xs[i])) / (xs[i + 1] - xs[i]);
}
/** The points that so many pixels can show: all, or first, least, greatest, last of each. @param {Series} series */
export function trail({ xs, ys, step, until }, ...[t0, t1, pixels, end]) {
  const held = Math.min(until ?? end, t1), from = Math.max(0, placeOf(xs, t0)), column = (t1 - t0) / pixels;
  const to = step ? placeOf(xs, held) : Math.min(xs.length - 1, placeOf(xs, t1) + 1); // beyond `until` something else holds
  /** @type {[number, number][]} */ const made = [];
  const all = to - from < pixels * 2;
  for (let i = from; all && i <= to; i++) { if (step && i > from) made.push([xs[i], ys[i - 1]]); made.push([xs[i], ys[i]]); }
  for (let i = from; !all && i <= to; ) {
    const edge = t0 + (Math.floor((xs[i] - t0) / column) + 1) * column, first = i;
    let least = i, most = i;
    for (i++; i <= to && xs[i] < edge; i++) { if (ys[i] < ys[least]) least = i; if (ys[i] > ys[most]) most = i; }
    for (const k of new Set([first, Math.min(least, most), Math.max(least, most), i - 1])) made.push([xs[k], ys[k]]);
  }
  if (step && made.length && held > xs[to]) made.push([held, ys[to]]);
  return made;
}
/** @type {Map<string, string>} */ const colours = new Map();
/** A colour of the style sheet, as it is now. @param {string} name */
export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || "gray");
  return colours.get(name) ?? "";
}
/** Forgets the colours: light became dark, or print. */
export const forgetColours = () => colours.clear();
/** @type {Record<string, Look>} of each role */
const LOOKS = { power: ["charge", 1.4, []], soc: ["soc", 2, []], "import-price": ["import", 2, []], "export-price": ["export", 2, [7, 3]],
  limit: ["limit", 1.6, [7, 3]], "limit car": ["limit", 1.6, [2, 3]], "limit outlet": ["warn", 1.6, [2, 3]],
  "limit CSMS": ["warn", 1.6, [7, 3]], asked: ["asked", 1.6, [2, 3]], "asked by": ["asked", 1.8, [9, 3, 2, 3]],
  profile: ["profile", 1.8, [7, 4]] };
/** How a curve looks: colour, width and dash. @param {Series} series @returns {Look} */
export function lookOf({ role, name, chosen }) {
  const tuple = Number(/\d+(?= |$)/.exec(name)?.[0] ?? 1);
  if (role === "offer") return [`offer${((tuple - 1) % 4) + 1}`, chosen ? 2.4 : 1.2, chosen ? [] : [5, 4]];
  return LOOKS[name.split(" ", 2).join(" ")] ?? LOOKS[role] ?? ["soft", 1.2, []];
}
/** Round numbers for an axis, about `wanted` of them. @param {number} low @param {number} high @param {number} wanted */
export function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, size = 10 ** Math.floor(Math.log10(raw)), step = ([1, 2, 5].find((n) => n * size >= raw) ?? 10) * size;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, i) => +((first + i) * step).toPrecision(12));
}
/** Writes on a canvas. @param {Context} ctx @param {string} text @param {number} x @param {number} y */
export function write(ctx, text, x, y, ...[textAlign = "left", hue = "soft", weight = ""]) {
  Object.assign(ctx, { font: `${weight} 11px system-ui, sans-serif`, textAlign, textBaseline: "middle", fillStyle: colour(hue) });
  ctx.fillText(text, x, y);
}
/** Draws a line. @param {Context} ctx @param {string} hue @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 */
export function line(ctx, hue, x0, y0, x1, y1) {
  Object.assign(ctx, { strokeStyle: colour(hue), lineWidth: 1 });
  ctx.stroke(new Path2D(`M${Math.round(x0) + 0.5} ${Math.round(y0) + 0.5}L${Math.round(x1) + 0.5} ${Math.round(y1) + 0.5}`));
}
const STEPS = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800];
/** The pixel of a time. @param {Span} span @param {number} t */
export const pixelOf = ({ t0, t1, left, right }, t) => left + ((t - t0) / (t1 - t0)) * (right - left);
/** The time at a pixel. @param {Span} span @param {number} x */
export const timeOf = ({ t0, t1, left, right }, x) => t0 + Math.min(1, Math.max(0, (x - left) / Math.max(1, right - left))) * (t1 - t0);
/** The axis of time: lines, and hours beneath. @param {Context} ctx @param {Span} span @param {number} top @param {number} bottom */
export function timeAxis(ctx, span, top, bottom) {
  const length = span.t1 - span.t0, step = STEPS.find((s) => ((span.right - span.left) * s) / length >= 74) ?? length;
  for (let t = Math.ceil(span.t0 / step) * step; t <= span.t1; t += step) {
    const x = pixelOf(span, t); line(ctx, "line", x, top, x, bottom);
    const said = clock(t, step < 1 ? 1 : step < 60 ? 60 : step >= 86400 ? 1e6 : 1e4);
    if (x > span.left + 14 && x < span.right - 14) write(ctx, said, x, bottom + 11, "center");
  }
}
/** Ends of an axis: with 0 for power; a limit far beyond all else counts not. @param {Series[]} curves @returns {number[]} */
export function rangeOf(curves) {
  const ends = (of) => of.flatMap((s) => (s.low <= s.high ? [s.low, s.high] : []));
  const most = Math.max(...ends(curves.filter((s) => s.role !== "limit")).map(Math.abs), 0), unit = curves[0]?.unit ?? "";
  const all = ends(curves.filter((s) => s.role !== "limit" || !most || Math.max(-s.low, s.high) <= 2.5 * most));
  if (unit === "%") all.push(0, 100);
  else if (unit === "W" || unit === "A" || unit.includes("/") || !all.length) all.push(0);
  let [low, high] = [Math.min(...all), Math.max(...all)];
  if (low === high) high = low + 1;
  const edge = unit === "%" ? 0 : (high - low) * 0.06; return [low === 0 ? 0 : low - edge, high === 0 ? 0 : high + edge];
}
/** Curves of one unit with their axis. @param {Context} ctx @param {Series[]} curves @param {Span} span @param {any[]} place top to end */
export function panel(ctx, curves, span, ...[top, bottom, end, range = rangeOf(curves)]) {
  const [low, high] = range, { left, right } = span, unit = curves[0]?.unit ?? "";
  const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
  for (const v of ticks(low, high, Math.max(1, Math.floor((bottom - top) / 30)))) {
    line(ctx, v === 0 ? "soft" : "line", left, y(v), right, y(v));
    write(ctx, amount(v, unit.includes("/") ? "" : unit), left - 6, y(v), "right");
  }
  const within = (from, to, draw) => {
    ctx.save(); ctx.beginPath(); ctx.rect(left, from, right - left, to - from); ctx.clip(); draw(); ctx.restore();
  };
  const order = ["offer", "limit", "power", "profile", "asked"];
  for (const series of [...curves].sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role))) {
    const points = trail(series, span.t0, span.t1, Math.max(50, right - left), end), [hue, lineWidth, dash] = lookOf(series),
      path = new Path2D();
    if (!points.length) continue;
    for (const [t, v] of points) path.lineTo(pixelOf(span, t), y(v));
    if (series.role !== "power") within(top - 1, bottom + 1, () => {
      Object.assign(ctx, { strokeStyle: colour(hue), lineWidth, lineJoin: "round" }); ctx.setLineDash(dash); ctx.stroke(path);
    });
    const area = new Path2D(path), half = (name, from, to) => within(from, to, () => {
      Object.assign(ctx, { fillStyle: colour(name), strokeStyle: colour(name), lineWidth, globalAlpha: 0.45 }); ctx.fill(area);
      ctx.globalAlpha = 1; ctx.stroke(path);
    });
    area.lineTo(pixelOf(span, points[points.length - 1][0]), y(0)); area.lineTo(pixelOf(span, points[0][0]), y(0));
    if (series.role === "power") half("charge", top - 1, y(0)), half("discharge", y(0), bottom + 1);
  }
}
/** Words as a band. @param {Context} ctx @param {Series} series @param {Span} span */
export function band(ctx, { xs, ys, until }, span, ...[top, height, end]) {
  for (let i = Math.max(0, placeOf(xs, span.t0)), next = i; i < xs.length && xs[i] < span.t1; i = next) {
    for (next = i + 1; next < xs.length && ys[next] === ys[i]; ) next++; // neighbours with the same word are one
    const from = Math.max(span.left, pixelOf(span, xs[i])), width = Math.min(span.right, pixelOf(span, xs[next] ?? until ?? end)) - from;
    const word = legible(ys[i]);
    if (width <= 0) continue;
    ctx.fillStyle = colour(`band${(["car", "station", "csms", "schedule"].indexOf(word) + 6) % 5 || 5}`);
    ctx.fillRect(from, top, Math.max(1, width - 1), height);
    if (ctx.measureText(word).width < width - 8) write(ctx, word, from + 4, top + height / 2 + 0.5, "left", "ink");
  }
}
/** A canvas in the pixels of this screen, emptied. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
export function paper(canvas, width, height) {
  const ratio = Math.min(devicePixelRatio || 1, 3), w = Math.round(width * ratio), h = Math.round(height * ratio);
  const ctx = /** @type {Context} */ (canvas.getContext("2d"));
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0); ctx.clearRect(0, 0, width, height); return ctx;
}
