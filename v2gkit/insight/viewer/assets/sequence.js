// The pane of messages: lanes of car, station, hardware and CSMS, as a list of which only what is seen is in the page.
import { byId, el, fill, lasting, nextFrame } from "./dom.js";
import { placeOf } from "./plot.js";
import { isBad } from "./store.js";
/** @typedef {import("./store.js").Item} Item */
/** @typedef {{item: Item, last?: Item, times?: number, slowest?: Item, open?: boolean}} Row an item, or (with `last`) a run of equals */
/** A list of rows of one height, of which those in sight are elements. */
export class VirtualList {
  height = 30; all = false; // printed: every row is an element
  inner = el("div.inner", { role: "presentation" }); redraw = nextFrame(() => this.draw());
  /** @param {HTMLElement} box @param {{count: () => number, row: (i: number) => HTMLElement}} host */ constructor(box, host) {
    this.box = box; this.host = host; fill(box, this.inner); box.addEventListener("scroll", this.redraw, { passive: true });
    new ResizeObserver(() => {
      const narrow = box.clientWidth < 620; box.parentElement?.classList.toggle("narrow", narrow);
      this.height = narrow ? 50 : 30; this.redraw();
    }).observe(box);
  }
  draw() {
    const count = this.host.count(), first = this.all ? 0 : Math.max(0, Math.floor(this.box.scrollTop / this.height) - 6);
    const last = Math.min(count, this.all ? 3000 : first + Math.ceil(this.box.clientHeight / this.height) + 12);
    this.inner.style.height = `${count * this.height}px`; this.box.setAttribute("aria-rowcount", String(count));
    fill(this.inner, Array.from({ length: Math.max(0, last - first) }, (_, k) => {
      const row = this.host.row(first + k); row.style.top = `${(first + k) * this.height}px`; row.id = `${this.box.id}-${first + k}`;
      row.setAttribute("aria-rowindex", String(first + k + 1)); return row;
    }));
  }
  /** Scrolls as little as it takes to see a row. @param {number} i */ reveal(i) {
    const top = i * this.height, { scrollTop, clientHeight } = this.box; this.inner.style.height = `${this.host.count() * this.height}px`;
    if (top < scrollTop || top + this.height > scrollTop + clientHeight) this.box.scrollTop = top - clientHeight / 3;
    this.box.setAttribute("aria-activedescendant", `${this.box.id}-${i}`); this.draw();
  }
}
/** What is listed under which button. @type {[string, (item: Item) => boolean][]} */
const KINDS = [["messages", (i) => i.t === "frame"], ["hardware", (i) => i.lane === "hardware" || i.to === "hardware"],
  ["csms", (i) => i.lane === "csms" || i.to === "csms"], ["timers", (i) => i.kind === "timer"], ["states", (i) => i.kind === "state"],
  ["notes", () => true]];
/** Whether each word of a search is in an item's name, code, requirement, error or text. @param {Item} item @param {string} query */
export function matches(item, query) {
  return query.toLowerCase().split(/\s+/).every((word) => {
    const [, kind, rest] = /^(code|req|msg):(.*)$/.exec(word) ?? [];
    const { t, name, code, error, text, requirement, requirements = [], findings = [] } = item, req = [requirement, ...requirements];
    const places = { code: [code], req, msg: [t === "frame" ? name : ""] }[kind] ?? [name, code, error, text, ...req, ...findings];
    return places.some((place) => String(place ?? "").toLowerCase().includes(rest ?? word));
  });
}
export class Sequence {
  rows = /** @type {Row[]} */ ([]); hits = /** @type {Item[]} what was searched for */ ([]); near = /** @type {any} of the cursor */ (null);
  open = /** @type {Set<Item>} runs that are unfolded, by their first item */ (new Set()); hidden = new Set(["states"]); // kinds
  key = ""; done = { items: 0, rows: 0, hits: 0 }; // what need not be looked at again when more comes
  list = new VirtualList(byId("sequence"), { count: () => this.rows.length, row: (i) => this.row(i) });
  /** @param {import("./store.js").App} app */ constructor(app) {
    this.app = app;
    for (const name of ["wheel", "touchmove", "keydown"]) this.list.box.addEventListener(name, () => app.follow(false), { passive: true });
    for (const button of byId("kinds").querySelectorAll("button")) button.addEventListener("click", () => {
      const kind = button.dataset.kind ?? ""; this.hidden.delete(kind) || this.hidden.add(kind);
      button.setAttribute("aria-pressed", String(!this.hidden.has(kind))); this.open.clear(); this.update(true);
    });
  }
  /** Takes what is new into rows; all of it again where something else changed. @param {boolean} [anew] */ update(anew = false) {
    const of = this.app.of(), query = this.app.q, key = `${of?.c} ${query}`, fold = !query && !this.hidden.has("fold");
    if (anew || key !== this.key || of?.disorder) this.done = { items: 0, rows: 0, hits: 0 };
    [this.key, this.rows.length, this.hits.length] = [key, this.done.rows, this.done.hits];
    const items = of?.ordered() ?? [], kinds = KINDS.some(([kind]) => this.hidden.has(kind));
    const away = (item) => kinds && !isBad(item) && this.hidden.has(KINDS.find(([, is]) => is(item))?.[0] ?? "");
    const listed = (item) => !away(item) && (!query || matches(item, query));
    const often = (item) => /^(fact|event)$/.test(item.kind) && (of?.names.get(item.name) ?? 0) > 11;
    const routine = (item) => item.t === "mark" && !isBad(item) && (item.kind === "state" || item.kind === "timer" || often(item));
    const base = (item) => item.t + item.name.replace(/Re[qs]$/, "");
    for (let i = this.done.items; i < items.length; ) {
      this.done = { items: i, rows: this.rows.length, hits: this.hits.length };
      const first = items[i], frame = first.t === "frame";
      let last = i, equal = 0, slowest = first;
      const folds = fold && !isBad(first) && (frame || often(first)); // polls with what comes with them, or equal marks
      for (let j = i; folds && j < items.length; j++) {
        const item = items[j], same = base(item) === base(first) && !isBad(item) && !item.findings;
        if (!same && !(frame && routine(item))) break;
        if (same) [last, equal, slowest] = [j, equal + 1, item.took / item.limit > (slowest.took / slowest.limit || 0) ? item : slowest];
      }
      const run = equal > 5, open = this.open.has(first), times = frame ? Math.ceil(equal / 2) : equal;
      if (run && listed(first)) this.rows.push({ item: first, last: items[last], times, slowest, open });
      for (let j = i; j <= last; j++) {
        if (!listed(items[j])) continue;
        if (query) this.hits.push(items[j]);
        if (!run || open) this.rows.push({ item: items[j] });
      }
      i = last + 1;
    }
    this.list.redraw();
  }
  /** Row of a message or mark, unfolded where need be; -1: it is not listed. @param {any} item @returns {number} */ find(item) {
    const run = this.rows.find((row) => item && row.last && !row.open && row.item.i <= item.i && item.i <= row.last.i);
    if (run && item.c === this.app.c) this.toggle(run);
    return item ? this.rows.findIndex((row) => row.item === item && !row.last) : -1;
  }
  /** Brings what is selected into sight. */
  reveal() { const place = this.find(this.app.item()); if (place >= 0) this.list.reveal(place); else this.list.redraw(); }
  /** Shows the newest. */ toEnd() { this.list.draw(); this.list.box.scrollTop = this.list.box.scrollHeight; this.list.draw(); }
  /** What is listed next to what is selected, and fulfils a condition. @param {number} by @param {(item: Item) => boolean} [that] */
  step(by, that = () => true) {
    const here = this.app.item() ? this.find(this.app.item()) : by > 0 ? -1 : this.rows.length, rows = this.rows;
    for (let i = here + by; i >= 0 && i < rows.length; i += by) if (!rows[i].last && that(rows[i].item)) return rows[i].item;
  }
  /** Folds and unfolds a run. @param {Row} row */
  toggle(row) { if (!this.open.delete(row.item)) this.open.add(row.item); this.update(true); }
  /** @param {Row} row @returns {HTMLElement} */ run(row) {
    const { item, last, slowest: slow, times, open } = row;
    const name = el("b", `${open ? "▾" : "▸"} ${times} × `, item.name.replace(/Re[qs]$/, ""));
    const took = slow?.limit ? `, slowest ${lasting(slow.took)} of ${lasting(slow.limit)}` : "", cell = { role: "gridcell" };
    const said = el("span.said", cell, name, el("span.soft", ` until ${last?.at.toFixed(3)} s${took}`)), onclick = () => this.toggle(row);
    return el("div.row.run", { role: "row", "aria-expanded": String(open), onclick }, el("span.when", cell, item.at.toFixed(3)), said);
  }
  /** @param {number} i @returns {HTMLElement} */ row(i) {
    const { item, last } = this.rows[i], frame = item.t === "frame", bad = isBad(item);
    if (last) return this.run(this.rows[i]);
    const from = frame ? item.from : item.lane, to = frame ? (from === "car" ? "station" : "car") : (item.to ?? from);
    const code = frame && item.error ? "not decoded" : item.code, cell = { role: "gridcell" };
    const said = frame ? el("b", item.name || item.type) : [item.kind === "ocpp" && el("b", `${item.name} `), item.text || item.name];
    const badge = code && el(`span.code${bad ? ".bad" : /^WARNING/.test(code) ? ".warn" : ""}`, code);
    const label = el("span.label", said, badge, item.findings && el("span.code.warn", "tolerated")); label.title = label.textContent ?? "";
    const share = item.took / item.limit, how = share > 1 ? ".bad" : share > 0.8 ? ".warn" : "", bar = el(`i${how}`);
    bar.style.width = `${Math.min(100, Math.max(1, share * 100))}%`;
    const most = item.limit && el("span.soft", " of ", lasting(item.limit)), time = item.took !== undefined && el(`span${how}`,
      lasting(item.took), most);
    const took = el("span.took", cell, time, item.limit && el("span.meter", bar));
    const kind = `row ${item.t} ${frame ? "" : item.kind}${bad ? " bad" : ""}${item.i === this.near ? " near" : ""}`;
    const what = { role: "row", "aria-selected": String(item === this.app.item()), "data-n": frame ? item.n : null, "data-m": item.m };
    const lanes = el("span.lanes", { ...cell, "data-from": from, "data-to": to }, el("i.arrow"), label);
    return el("div", { class: kind, ...what, "data-i": item.i, onclick: () => this.app.choose(item) },
      el("span.when", cell, item.at.toFixed(3)), lanes, took);
  }
  /** Marks the row that is next to the cursor. @param {number|null} epoch */ point(epoch) {
    const items = this.app.of()?.ordered() ?? [], low = placeOf(items, epoch ?? 0, (item) => item.epoch);
    this.near = epoch === null || this.app.item()?.epoch === epoch ? null : (items[Math.max(0, low)]?.i ?? null);
    this.list.inner.querySelector(".near")?.classList.remove("near");
    this.list.inner.querySelector(`[data-i="${this.near}"]`)?.classList.add("near");
  }
}
