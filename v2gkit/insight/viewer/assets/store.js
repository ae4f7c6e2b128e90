// @ts-check
// What the viewer knows: view lines, taken one after the other into connections with their messages, marks and series.

/** @typedef {[number, string, number, string, number, number]} ShapeRow depth, name, leaf, unit, space, many */
/** @typedef {[number, string, number, number, string]} ShapeStep depth, what, width, leaf, kind */
/** @typedef {{s: number, name: string, set: string, spaces: string[], prefixes?: string[], rows: ShapeRow[], steps: ShapeStep[]}} Shape */
/** @typedef {{t: "frame"|"mark", c: number, i: number, at: number, epoch: number, name: string, [key: string]: any}} Item a message, or a mark of what else happened */
/** @typedef {{name: string, label: string, unit: string, role: string, step: boolean, chosen: boolean, until: number|null}} SeriesKind */
/** @typedef {SeriesKind & {xs: number[], ys: any[], low: number, high: number}} Series */

/** One connection, and all that is known of it. */
export class Connection {
  from = Infinity; until = -Infinity; // epochs
  told = 0; // how often something was said of it beside items and series
  disorder = false;
  /** @param {number} c */
  constructor(c) {
    this.c = c;
    /** @type {Record<string, any>} */ this.about = {};
    /** @type {Item[]} in the order of time, once `ordered` */ this.items = [];
    /** @type {Item[]} by number */ this.frames = [];
    /** @type {Item[]} in the order of arrival */ this.marks = [];
    /** @type {Item[]} what failed */ this.failures = [];
    /** @type {Map<string, Series>} */ this.series = new Map();
    /** @type {any[]} */ this.chains = [];
    /** @type {Map<number, any[]>} steps by message */ this.signatures = new Map();
    /** @type {[string, any][]} */ this.facts = [];
    /** @type {Record<string, any>|null} */ this.verdict = null;
    /** @type {Map<number, any[]>} values of the message before, by shape */ this.before = new Map();
    /** @type {Map<string, number>} how often each name came */ this.names = new Map();
  }

  /** Messages and marks in the order of time. @returns {Item[]} */
  ordered() {
    if (this.disorder) this.items.sort((a, b) => a.at - b.at || a.i - b.i);
    this.disorder = false;
    return this.items;
  }

  /** @param {number} epoch */
  reach(epoch) {
    if (epoch < this.from) this.from = epoch;
    if (epoch > this.until) this.until = epoch;
  }

  /** @param {Item} item */
  take(item) {
    item.i = this.items.length;
    item.name ??= "";
    if (item.i && item.at < this.items[item.i - 1].at) this.disorder = true;
    this.items.push(item);
    this.names.set(item.name, (this.names.get(item.name) ?? 0) + 1);
    if (isBad(item)) this.failures.push(item);
    this.reach(item.epoch);
  }

  /** @param {any} line of type series */
  extend(line) {
    let known = this.series.get(line.name);
    if (!known || line.replace) {
      const empty = { label: "", unit: "", role: "", step: false, chosen: false, until: null, xs: [], ys: [], low: Infinity, high: -Infinity };
      this.series.set(line.name, (known = { name: line.name, ...empty }));
    }
    if (line.from !== undefined) while (known.xs.length && known.xs[known.xs.length - 1] >= line.from) known.xs.pop(), known.ys.pop(); // a new plan
    for (const key of /** @type {(keyof SeriesKind)[]} */ (["label", "unit", "role", "step", "chosen", "until"])) {
      if (line[key] !== undefined) /** @type {any} */ (known)[key] = line[key];
    }
    for (const [x, y] of line.points ?? []) {
      known.xs.push(x);
      known.ys.push(y);
      if (y < known.low) known.low = y;
      if (y > known.high) known.high = y;
      if (known.role !== "offer") this.reach(x);
    }
  }
}

/** Whether a message or mark tells of a failure. @param {Item} item @returns {boolean} */
export function isBad(item) {
  if (item.t === "frame") return Boolean(item.error) || String(item.code ?? "").startsWith("FAILED");
  return item.call === "error" || (item.kind === "timer" && item.facts?.what === "fired") || (item.kind === "end" && Boolean(item.requirement));
}

/** All connections, and what they share. */
export class Store {
  constructor() {
    /** @type {Map<number, Connection>} */ this.connections = new Map();
    /** @type {Map<number, Shape>} */ this.shapes = new Map();
    /** @type {Map<string, any>} */ this.requirements = new Map();
    /** @type {any[]} */ this.pairs = [];
    /** @type {Record<string, any>} */ this.head = {};
    this.lines = 0;
  }

  /** Forgets everything. */
  clear() {
    Object.assign(this, new Store());
  }

  /** Takes one view line, packed or not. Lines of a kind that is not known are for later viewers. @param {any} line */
  add(line) {
    this.lines++;
    if (line.t === "head") this.head = line;
    else if (line.t === "shape") this.shapes.set(line.s, line);
    else if (line.t === "requirement") this.requirements.set(line.id, line);
    else if (line.t === "pair") this.pairs.push(line);
    if (line.c === undefined) return;
    const of = this.connections.get(line.c) ?? new Connection(line.c);
    this.connections.set(line.c, of);
    if (line.t === "frame") {
      unpack(line, of.before);
      of.frames[line.n] = line;
      return of.take(line);
    }
    if (line.t === "mark") {
      line.m = of.marks.push(line) - 1;
      return of.take(line);
    }
    if (line.t === "series") return of.extend(line);
    of.told++;
    if (line.t === "connection") of.reach((of.about = line).began);
    else if (line.t === "chain") of.chains.push(line);
    else if (line.t === "signature") of.signatures.set(line.n, line.steps);
    else if (line.t === "facts") of.facts = line.facts;
    else if (line.t === "verdict") of.verdict = line;
  }

  /** Forgets the oldest connections that are over, beyond so many. @param {number} most @param {number} but not this one */
  forget(most, but) {
    for (const of of this.connections.values()) {
      if (this.connections.size <= most) return;
      if (of.verdict?.over && of.c !== but) this.connections.delete(of.c);
    }
  }
}

/** Undoes what packing did to a message: values that are those of the one before of its shape. @param {any} line @param {Map<number, any[]>} before */
export function unpack(line, before) {
  if (line.s === undefined) return;
  if (!line.v) {
    line.v = before.get(line.s) ?? [];
    if (line.d) line.v = line.v.slice();
    for (let i = 0; i + 1 < (line.d?.length ?? 0); i += 2) line.v[line.d[i]] = line.d[i + 1];
    delete line.d;
  }
  before.set(line.s, line.v);
}

/** Octets of base64. @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function octetsOf(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** The lines of a packed text (gzip, base64) as they are unpacked, without ever holding all of them. @param {string} text @returns {AsyncGenerator<string>} */
export async function* packedLines(text) {
  const packed = text.trim(), SLICE = 1 << 18, decoder = new TextDecoder(); // a multiple of 4, as base64 goes
  let place = 0, rest = "";
  const source = new ReadableStream({
    pull(controller) {
      if (place >= packed.length) return controller.close();
      controller.enqueue(octetsOf(packed.slice(place, place + SLICE)));
      place += SLICE;
    },
  });
  const reader = source.pipeThrough(new DecompressionStream("gzip")).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    const whole = (rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }))).split("\n");
    rest = done ? "" : (whole.pop() ?? "");
    for (const line of whole) if (line) yield line;
    if (done) return;
  }
}
