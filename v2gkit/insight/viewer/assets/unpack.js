// @ts-check
// Undoes what packing did to the lines in a file (`packing.py` says what that is), and writes the octets of a message from its shape and values.

/** Makes view lines of packed ones, in their order. */
export class Unpacker {
  constructor() {
    /** @type {Map<string, any>} what the next change of its kind is a change of */ this.before = new Map();
    this.c = -1;
    this.n = this.at = this.epoch = 0; // of the message before: its number, 0.1 ms and ms
  }

  /** @param {any} packed @returns {any} */
  line(packed) {
    if (Array.isArray(packed)) {
      const [s, at, epoch, took, octets, ...d] = packed;
      return this.frame({ t: "frame", c: this.c, s, at: (this.at + at) / 1e4, epoch: (this.epoch + epoch) / 1e3, octets, d, ...(took === null ? {} : { took: took / 1e6 }) });
    }
    return packed.t === "frame" ? this.frame(packed) : packed.t === "mark" ? this.whole(`${packed.kind} ${packed.name}`, packed) : packed;
  }

  /** @param {any} packed */
  frame(packed) {
    this.n = packed.c === this.c ? this.n + 1 : 0;
    [this.c, this.at, this.epoch] = [packed.c, Math.round(packed.at * 1e4), Math.round(packed.epoch * 1e3)];
    if (packed.s === undefined) return packed;
    const whole = this.whole(`${packed.s}`, packed), v = [...whole.v];
    for (let place = 0; place < (packed.d?.length ?? 0); place += 2) v[packed.d[place]] = packed.d[place + 1];
    whole.v = v;
    delete whole.d;
    const { b, ...frame } = { n: this.n, ...whole };
    return b === undefined ? frame : { ...frame, to: frame.n - b };
  }

  /** @param {string} key @param {any} packed */
  whole(key, packed) {
    const whole = { ...this.before.get(key), ...packed };
    for (const name of packed.x ?? []) delete whole[name];
    delete whole.x;
    this.before.set(key, whole);
    return whole;
  }
}

/** The canonical EXI document of a message. @param {{steps: any[][]}} shape @param {any[]} values @returns {Uint8Array} */
export function octetsOfShape(shape, values) {
  /** @type {number[]} */ const octets = [];
  let held = 0, many = 0;
  const bits = (/** @type {number} */ value, /** @type {number} */ width) => {
    while (width-- > 0) {
      held = (held << 1) | (Math.floor(value / 2 ** width) & 1);
      if (++many === 8) { octets.push(held); held = many = 0; }
    }
  };
  const unsigned = (/** @type {bigint} */ value) => {
    for (; value > 0x7fn; value >>= 7n) bits(Number(value & 0x7fn) | 0x80, 8);
    bits(Number(value), 8);
  };
  const counted = (/** @type {number[]} */ each) => { unsigned(BigInt(each.length)); for (const octet of each) bits(octet, 8); };
  for (const [, what, width, leaf, kind, extra] of shape.steps) {
    const value = values[leaf], whole = Array.isArray(value) ? value[0] : value;
    if (leaf < 0) kind === "bits" && bits(extra, width);
    else if (what === "boolean") bits(value ? 1 : 0, 1);
    else if (what === "enumeration") bits(extra.indexOf(value), width);
    else if (what === "nbit") bits(value - extra, width);
    else if (what === "unsigned") unsigned(BigInt(whole));
    else if (what === "signed") { const number = BigInt(whole); bits(number < 0n ? 1 : 0, 1); unsigned(number < 0n ? -number - 1n : number); }
    else if (what === "binary") counted(extra === "hexBinary" ? (value.match(/../g) ?? []).map((/** @type {string} */ two) => parseInt(two, 16)) : [...atob(value)].map((each) => each.charCodeAt(0)));
    else { const points = [...value].map((each) => each.codePointAt(0) ?? 0); unsigned(BigInt(points.length + 2)); for (const point of points) unsigned(BigInt(point)); }
  }
  if (many) bits(0, 8 - many);
  return Uint8Array.from(octets);
}
