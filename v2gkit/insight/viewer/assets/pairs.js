// Two connections side by side, aligned by state and message.
import { byId, el, fill } from "./dom.js";
import { VirtualList } from "./sequence.js";
/** Whether more differs than what was measured. @param {{how: string}} row */ const isApart = ({ how }) => !/same|measured/.test(how);
export class Pairs {
  /** @type {{i: number, a: any, b: any, how: string, paths: string[]}[]} */ rows = [];
  /** @param {import("./store.js").App} app */ constructor(app) {
    this.app = app; this.list = new VirtualList(byId("pairs"), { count: () => this.rows.length, row: (i) => this.row(i) });
  }
  update() {
    const { pairs, connections } = this.app.store, frame = (c, n) => (n === null ? null : connections.get(c)?.frames[n]);
    const all = pairs.flatMap((pair) => pair.rows.map(([a, b, how, paths = []]) =>
      ({ a: frame(pair.a, a), b: frame(pair.b, b), how, paths })));
    this.rows = all.map((row, i) => ({ ...row, i })); this.list.redraw();
    const name = (c) => [connections.get(c)?.about.source, connections.get(c)?.about.title].filter(Boolean).join(" · "), [{ a, b }] = pairs;
    const differ = all.filter(isApart).length;
    fill(byId("sides"), el("b", "A · ", name(a)), el("span", `${differ} differ`), el("b", "B · ", name(b)));
  }
  /** @param {number} i @returns {HTMLElement} */ row(i) {
    const { a, b, how, paths } = this.rows[i];
    const word = { same: "=", measured: `≈ ${paths.length}`, differs: `≠ ${paths.length}`, "only a": "◂ only A" }[how] ?? "only B ▸";
    const of = ({ name, type, code }) => [el("b", name || type), code && el(/^FAILED/.test(code) ? "span.code.bad" : "span.code", code)];
    const side = (frame) => el("span.pair", { role: "gridcell", title: frame && `${frame.name} ${frame.code ?? ""}` }, frame && of(frame));
    const what = { role: "row", "aria-selected": String(i === this.app.pair), "data-pair": i, onclick: () => this.app.compare(i) };
    return el(`div.row.${how.replace(" ", "-")}`, what, side(a), el("span.how", { role: "gridcell" }, word), side(b));
  }
  /** The next row after the chosen one, or the next that differs. @param {number} by @param {boolean} differing */ step(by, differing) {
    for (let i = this.app.pair + by; i >= 0 && i < this.rows.length; i += by) if (!differing || isApart(this.rows[i])) return i;
    return this.app.pair;
  }
}
