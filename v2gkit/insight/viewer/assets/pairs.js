// @ts-check
// Two connections side by side, aligned by state and message.
import { byId, el, fill } from "./dom.js";
import { VirtualList } from "./sequence.js";

export class Pairs {
  /** @param {{store: import("./store.js").Store, chosen: () => number, choose: (i: number) => void}} host */
  constructor(host) {
    this.host = host;
    /** @type {{i: number, a: any, b: any, how: string, paths: string[]}[]} */ this.rows = [];
    this.list = new VirtualList(byId("pairs"), { count: () => this.rows.length, row: (i) => this.row(i) });
  }
  update() {
    const { pairs, connections } = this.host.store, frame = (/** @type {number} */ c, /** @type {number|null} */ n) => connections.get(c)?.frames[n ?? -1];
    this.rows = pairs.flatMap((pair) => pair.rows.map((/** @type {any[]} */ [a, b, how, paths]) => ({ a: frame(pair.a, a), b: frame(pair.b, b), how, paths: paths ?? [] })));
    this.rows.forEach((row, i) => (row.i = i));
    const name = (/** @type {number} */ c) => [connections.get(c)?.about.source, connections.get(c)?.about.title].filter(Boolean).join(" · ") || `connection ${c}`;
    fill(byId("sides"), el("b", `A · ${name(pairs[0].a)}`), el("span", `${this.rows.filter((row) => row.how !== "same").length} differ`), el("b", `B · ${name(pairs[0].b)}`));
    this.list.redraw();
  }
  /** @param {number} i @returns {HTMLElement} */
  row(i) {
    const { a, b, how, paths } = this.rows[i], word = { same: "=", differs: `≠ ${paths.length || ""}`, "only a": "◂ only A", "only b": "only B ▸" }[how] ?? how;
    const side = (/** @type {any} */ frame) => el("span.pair", { role: "gridcell" }, frame && [el("b", frame.name || frame.type), frame.code && el(/^FAILED/.test(frame.code) ? "span.code.bad" : "span.code", frame.code)]);
    return el("div", { class: `row ${how.replace(" ", "-")}`, role: "row", "aria-selected": String(i === this.host.chosen()), "data-pair": i, onclick: () => this.host.choose(i) }, side(a), el("span.how", { role: "gridcell" }, word), side(b));
  }
  /** The next row after the chosen one, or the next that differs. @param {number} by @param {boolean} differing @returns {number} */
  step(by, differing) {
    for (let i = this.host.chosen() + by; i >= 0 && i < this.rows.length; i += by) if (!differing || this.rows[i].how !== "same") return i;
    return this.host.chosen();
  }
}
