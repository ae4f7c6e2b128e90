// Undoes what packing did to the lines in a file (`packing.py` says what), and writes a message's octets from its shape and values.
/** Makes view lines of packed ones, in their order. */
export class Unpacker {
  before = /** @type {Map<string, any>} what the next change of its kind is a change of */ (new Map());
  c = -1; n = 0; at = 0; epoch = 0; // of the message before: connection, number, 0.1 ms and ms
  /** @param {any} packed @returns {any} */ line(packed) {
    const [s, at, epoch, took, octets, ...d] = Array.isArray(packed) ? packed : [], time = took === null ? {} : { took: took / 1e6 };
    const when = { at: (this.at + at) / 1e4, epoch: (this.epoch + epoch) / 1e3 };
    if (Array.isArray(packed)) return this.frame({ t: "frame", c: this.c, s, ...when, octets, d, ...time });
    if (packed.t === "mark") return { ...this.whole(`${packed.kind} ${packed.name}`, packed) }; // who takes it may add to it
    return packed.t === "frame" ? this.frame(packed) : packed;
  }
  /** @param {any} packed */ frame(packed) {
    this.n = packed.c === this.c ? this.n + 1 : 0;
    [this.c, this.at, this.epoch] = [packed.c, Math.round(packed.at * 1e4), Math.round(packed.epoch * 1e3)];
    if (packed.s === undefined) return packed;
    const whole = this.whole(`${packed.s}`, packed), v = [...whole.v];
    for (let place = 0; place < (packed.d?.length ?? 0); place += 2) v[packed.d[place]] = packed.d[place + 1];
    whole.v = v; delete whole.d;
    const { b, ...frame } = { n: this.n, ...whole }; return b === undefined ? frame : { ...frame, to: frame.n - b };
  }
  /** @param {string} key @param {any} packed */ whole(key, packed) {
    const whole = { ...this.before.get(key), ...packed };
    for (const name of packed.x ?? []) delete whole[name];
    delete whole.x; this.before.set(key, whole); return whole;
  }
}
/** The canonical EXI document of a message. @param {{steps: any[][]}} shape @param {any[]} values */
export function octetsOfShape(shape, values) {
  /** @type {number[]} */ const octets = [];
  let held = 0, many = 0;
  const bits = (value, width) => {
    while (width-- > 0) {
      held = (held << 1) | (Math.floor(value / 2 ** width) & 1);
      if (++many === 8) octets.push(held), (held = many = 0);
    }
  };
  const unsigned = (value) => { for (; value > 0x7fn; value >>= 7n) bits(Number(value & 0x7fn) | 0x80, 8); bits(Number(value), 8); };
  const counted = (each) => { unsigned(BigInt(each.length)); for (const octet of each) bits(octet, 8); };
  for (const [, what, width, leaf, kind, extra] of shape.steps) {
    const value = values[leaf], whole = Array.isArray(value) ? value[0] : value;
    if (leaf < 0) kind === "bits" && bits(extra, width);
    else if (what === "boolean") bits(value ? 1 : 0, 1);
    else if (what === "enumeration") bits(extra.indexOf(value), width);
    else if (what === "nbit") bits(value - extra, width);
    else if (what === "unsigned") unsigned(BigInt(whole));
    else if (what === "signed") bits(Number(whole) < 0 ? 1 : 0, 1), unsigned(Number(whole) < 0 ? -BigInt(whole) - 1n : BigInt(whole));
    else if (what === "binary" && extra === "hexBinary") counted((value.match(/../g) ?? []).map((two) => parseInt(two, 16)));
    else if (what === "binary") counted([...atob(value)].map((each) => each.charCodeAt(0)));
    else [BigInt([...value].length + 2), ...[...value].map((each) => BigInt(each.codePointAt(0) ?? 0))].forEach(unsigned);
  }
  if (many) bits(0, 8 - many);
  return Uint8Array.from(octets);
}
