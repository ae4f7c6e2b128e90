// What the viewer knows: view lines, taken one after the other into connections with their messages, marks and series.
import { octetsOfShape } from "./unpack.js";
/** @typedef {{s: number, name: string, spaces: string[], prefixes?: string[], rows: any[][], steps: any[][]}} Shape what messages share */
/** @typedef {{t: "frame"|"mark", c: number, i: number, at: number, epoch: number, name: string, [key: string]: any}} Item */
/** @typedef {{name: string, role: string, xs: number[], ys: any[], low: number, high: number, [key: string]: any}} Series */
/** @typedef {{store: Store, of: () => Connection|undefined, [key: string]: any}} App what is selected, and how to select */
/** One connection: `frames` by number, `marks` as they came, `items` both of them, in the order of time once `ordered`. */
export class Connection {
  from = Infinity; until = -Infinity; planned = -Infinity; told = 0; disorder = false; // epochs; how often something else was said of it
  items = /** @type {Item[]} */ ([]); frames = /** @type {Item[]} */ ([]); marks = /** @type {Item[]} */ ([]);
  failures = /** @type {Item[]} */ ([]); facts = /** @type {any[]} */ ([]); chains = /** @type {any[]} */ ([]);
  series = /** @type {Map<string, Series>} */ (new Map()); names = /** @type {Map<string, number>} how often each came */ (new Map());
  signatures = /** @type {Map<number, any[]>} steps by message */ (new Map());
  about = /** @type {any} */ ({}); verdict = /** @type {any} */ (null);
  /** @param {number} c */ constructor(c) { this.c = c; }
  /** What a chart of it shows: all that was, and of what is planned a quarter as much again. */
  get whole() { return [this.from, Math.max(this.from + 0.01, this.until, Math.min(this.planned, 1.25 * this.until - 0.25 * this.from))]; }
  /** Messages and marks in the order of time. */ ordered() {
    if (this.disorder) this.items.sort((a, b) => a.at - b.at || a.i - b.i).forEach((item, i) => (item.i = i));
    this.disorder = false; return this.items;
  }
  /** @param {number} epoch */ reach(epoch) { if (epoch < this.from) this.from = epoch; if (epoch > this.until) this.until = epoch; }
  /** @param {Item} item */ take(item) {
    item.i = this.items.length; item.name ??= "";
    if (item.i && item.at < this.items[item.i - 1].at) this.disorder = true;
    this.items.push(item); this.names.set(item.name, (this.names.get(item.name) ?? 0) + 1);
    if (isBad(item)) this.failures.push(item);
    this.reach(item.epoch);
  }
  /** @param {any} line of type series */ extend(line) {
    let known = this.series.get(line.name);
    if (!known || line.replace) {
      const told = { label: "", unit: "", role: "", step: false, chosen: false, until: null };
      this.series.set(line.name, (known = { name: line.name, ...told, xs: [], ys: [], low: Infinity, high: -Infinity }));
    }
    while (line.from !== undefined && known.xs.length && known.xs[known.xs.length - 1] >= line.from) known.xs.pop(), known.ys.pop();
    const { t, c, name, points, from, replace, ...told } = line; Object.assign(known, told);
    for (const [x, y] of points ?? []) {
      known.xs.push(x); known.ys.push(y);
      if (y < known.low) known.low = y; if (y > known.high) known.high = y;
      if (!/^(offer|profile|asked|.*-price)$/.test(known.role)) this.reach(x); else if (x > this.planned) this.planned = x;
    }
  }
}
/** Whether a message or mark tells of a failure. @param {Item} item */
export function isBad(item) {
  if (item.t === "frame") return Boolean(item.error) || String(item.code ?? "").startsWith("FAILED");
  return item.call === "error" || (item.kind === "timer" && item.facts?.what === "fired") || (item.kind === "end" && !!item.requirement);
}
/** All connections, and what they share. */
export class Store {
  connections = /** @type {Map<number, Connection>} */ (new Map()); shapes = /** @type {Map<number, Shape>} */ (new Map());
  requirements = /** @type {Map<string, any>} */ (new Map()); pairs = /** @type {any[]} */ ([]); head = /** @type {any} */ ({}); lines = 0;
  /** Forgets everything. */ clear() { Object.assign(this, new Store()); }
  /** Takes one view line. Lines of a kind that is not known are for later viewers. @param {any} line */ add(line) {
    this.lines++; if (line.t === "head") this.head = line;
    else if (line.t === "shape") this.shapes.set(line.s, line);
    else if (line.t === "requirement") this.requirements.set(line.id, line);
    else if (line.t === "pair") this.pairs.push(line);
    if (line.c === undefined) return;
    const of = this.connections.get(line.c) ?? new Connection(line.c); this.connections.set(line.c, of);
    if (line.t === "frame") { of.frames[line.n] = line; return of.take(line); }
    if (line.t === "mark") {
      line.m = of.marks.push(line) - 1; line.text ??= [line.name, briefOf(line.facts ?? {})].join(" "); return of.take(line);
    }
    if (line.t === "series") return of.extend(line); else of.told++;
    if (line.t === "connection") of.reach((of.about = line).began);
    else if (line.t === "chain") of.chains.push(line);
    else if (line.t === "signature") of.signatures.set(line.n, line.steps);
    else if (line.t === "facts") of.facts = line.facts;
    else if (line.t === "verdict") of.verdict = line;
  }
  /** Octets of a message: those that came, or, where these follow from it, of its shape and values. @param {any} frame */
  octetsOf({ exi, s, v }) { return exi === undefined ? octetsOfShape(/** @type {Shape} */ (this.shapes.get(s)), v) : base64(exi); }
  /** Forgets the oldest connections that are over, beyond so many. @param {number} most @param {number} but not this one */
  forget(most, but) {
    const over = [...this.connections.values()].filter((of) => of.verdict?.over && of.c !== but);
    for (const { c } of over.slice(0, Math.max(0, this.connections.size - most))) this.connections.delete(c);
  }
}
/** Plain values in a line. @param {Record<string, any>} facts */
const briefOf = (facts) => Object.entries(facts).filter(([, value]) => typeof value !== "object").map((fact) => fact.join(" ")).join(", ");
/** Octets of base64. @param {string} text */
export function base64(text) { return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); }
/** The lines of a packed text (gzip, base64) as they are unpacked, without ever holding all of them. @param {string} text */
export async function* packedLines(text) {
  const packed = text.trim(), SLICE = 1 << 18, decoder = new TextDecoder(); // a multiple of 4, as base64 goes
  let place = 0, rest = "";
  const pull = (controller) => {
    if (place >= packed.length) return controller.close();
    controller.enqueue(base64(packed.slice(place, place + SLICE))); place += SLICE;
  };
  const reader = new ReadableStream({ pull }).pipeThrough(new DecompressionStream("gzip")).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    const whole = (rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }))).split("\n");
    rest = done ? "" : (whole.pop() ?? "");
    for (const line of whole) if (line) yield line;
    if (done) return;
  }
}
