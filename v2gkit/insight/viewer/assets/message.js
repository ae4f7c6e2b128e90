// One message: as a tree, as XML, as JSON, and its octets bit by bit.
import { legible } from "./dom.js";
/** @typedef {{name: string, value: any, unit: string, space: number, many: boolean, path: string, children: Branch[]}} Branch */
/** The tree of a message. @param {import("./store.js").Shape} shape @param {any[]} values */
export function treeOf(shape, values) {
  /** @type {Branch[]} */ const way = [];
  for (const [depth, name, leaf, unit, space, many] of shape.rows) {
    const above = depth ? way[depth - 1] : undefined, alike = above?.children.filter((each) => many && each.name === name).length ?? 0;
    const part = many ? `${name}[${alike + 1}]` : name, path = above ? (above.path ? `${above.path}/${part}` : part) : "";
    const branch = { name, value: leaf < 0 ? undefined : values[leaf], unit, space, many: many === 1, path, children: [] };
    above?.children.push(branch); way.length = depth; way.push(branch);
  }
  return way[0];
}
/** Value and exponent as the one number that they are, null for what is no such pair. @param {Branch} branch */
export function rational(branch) {
  const of = (name) => branch.children.find((child) => child.name === name)?.value;
  const exponent = of("Exponent") ?? of("Multiplier"), value = of("Value");
  return Number.isInteger(exponent) && typeof value === "number" ? +(value * 10 ** exponent).toPrecision(12) : null;
}
/** A value of a message as text; an integer beyond what a number holds exactly comes as digits in a list. @param {any} value */
export function valueText(value) { return legible(Array.isArray(value) ? value[0] : value); }
/** A message as XML, as `v2g exi decode` writes it. @param {Branch} root @param {any} shape */
export function xmlOf(root, shape) {
  const escaped = (v) => valueText(v).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
  const prefixOf = (i) => shape.prefixes?.[i] ?? `n${i}`, lines = /** @type {string[]} */ ([]), write = (branch, indent, more) => {
    if (branch.name.startsWith("~")) return branch.children.forEach((child) => write(child, indent, "")); // a level of JSON alone
    const qualified = ({ name, space }) => legible([space < 0 ? "" : prefixOf(space), name.replace("@", "")].filter(Boolean).join(":"));
    const named = branch.children.filter((c) => c.name.startsWith("@")), inside = branch.children.filter((c) => !/^[@#]/.test(c.name));
    const name = qualified(branch), open = `${indent}<${name}${more}${named.map((c) => ` ${qualified(c)}="${escaped(c.value)}"`).join("")}`;
    const text = escaped((branch.children.find((c) => c.name === "#value") ?? branch).value);
    if (!inside.length) return lines.push(text ? `${open}>${text}</${name}>` : `${open}/>`);
    lines.push(`${open}>`);
    for (const child of inside) write(child, `${indent}  `, "");
    lines.push(`${indent}</${name}>`);
  };
  write(root, "", shape.spaces.map((space, i) => ` xmlns${prefixOf(i) && ":"}${prefixOf(i)}="${escaped(space)}"`).join(""));
  return lines.join("\n");
}
/** A message as `v2g exi json` shows it. @param {Branch} root */
export function jsonOf(root) {
  const of = ({ children, value }) => {
    if (!children.length) return Array.isArray(value) ? `\u0001${value[0]}` : (value ?? {});
    const made = /** @type {Map<string, any>} */ (new Map()), nameOf = ({ name }) => name.replace(/^[@#~]/, "");
    for (const child of children) made.set(nameOf(child), child.many ? [...(made.get(nameOf(child)) ?? []), of(child)] : of(child));
    return Object.fromEntries(made);
  };
  return JSON.stringify({ [root.name]: of(root) }, null, 2).replace(/"\\u0001(-?\d+)"/g, "$1"); // digits that no number holds
}
/** Reads bits of octets one after the other; what is beyond the end is 0. */
class Bits {
  /** @param {Uint8Array} octets */ constructor(octets) { this.octets = octets; this.place = 0; }
  /** @param {number} width @returns {number} */ take(width) {
    let value = 0;
    for (let i = 0; i < width; i++, this.place++) value = value * 2 + (((this.octets[this.place >> 3] ?? 0) >> (7 - (this.place & 7))) & 1);
    return value;
  }
  /** An unsigned integer of EXI: groups of 7 bits, least first. */ unsigned() {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const group = this.take(8); value += (group & 127) * factor;
      if (group < 128 || this.place > this.octets.length * 8) return value;
    }
  }
  /** Width of a value that says itself where it ends. @param {string} kind */ width(kind) {
    const began = this.place, end = this.octets.length * 8;
    if (kind === "signed") this.place++;
    if (kind === "unsigned" || kind === "signed") this.unsigned();
    else if (kind === "binary") for (let left = this.unsigned(); left > 0 && this.place < end; left--) this.place += 8;
    else if (kind === "string") for (let left = this.unsigned() - 2; left > 0 && this.place < end; left--) this.unsigned();
    else if (kind === "padding") this.place += (8 - (began & 7)) & 7;
    else this.place = end;
    const width = Math.max(0, Math.min(this.place, end) - began); this.place = began; return width;
  }
}
/** The events of a message's octets, and where. @param {any} frame @param {any} shape @param {Uint8Array} octets @returns {any[]} */
export function stepsOf(frame, shape, octets) {
  const bits = new Bits(octets), shown = (bit, width) => {
    bits.place = bit; return Array.from({ length: Math.min(width, 72) }, () => bits.take(1)).join("") + (width > 72 ? "…" : "");
  };
  const step = (bit, width, depth, what, value) => ({ bit, width, depth, what, value, bits: shown(bit, width) });
  if (frame.explained) return frame.explained.map(([bit, width, depth, what, value]) => step(bit, width, depth, what, legible(value)));
  let bit = 0, steps = /** @type {any[]} */ ([]);
  for (const [depth, what, fixed, leaf, kind] of shape?.steps ?? []) {
    bits.place = bit;
    const width = fixed < 0 ? bits.width(kind) : fixed;
    if (!width && (kind === "padding" || kind === "rest")) continue;
    steps.push(step(bit, width, depth, what, stepValue(bits, width, kind, leaf < 0 ? undefined : frame.v?.[leaf]))); bit += width;
  }
  return steps;
}
/** What a step says, as `v2g exi explain` writes it. @param {Bits} bits @param {number} width @param {string} kind @param {any} value */
function stepValue(bits, width, kind, value) {
  const cut = (text) => legible(text.length > 48 ? `${text.slice(0, 45)}...` : text);
  const hex = (octets) => cut(Array.from({ length: Math.min(octets, 25) }, () => bits.take(8).toString(16).padStart(2, "0")).join(""));
  if (kind === "rest") return hex(width >> 3);
  if (kind === "binary") return hex(bits.unsigned());
  if (value === undefined) return width <= 53 ? String(bits.take(width)) : "";
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "string" ? cut(`'${value}'`) : cut(valueText(value));
}
/** The first and last octet that a step is in. @param {{bit: number, width: number}} step */
export function octetRange(step) { return [step.bit >> 3, (step.bit + Math.max(step.width, 1) - 1) >> 3]; }
