// @ts-check
// The pane of messages: lanes of car, station, hardware and CSMS, as a list of which only what is seen is in the page.
import { byId, el, fill, lasting, nextFrame } from "./dom.js";
import { isBad } from "./store.js";

/** @typedef {import("./store.js").Item} Item */
/** @typedef {{item: Item, last?: Item, times?: number, slowest?: Item, open?: boolean}} Row a message or mark, or (with `last`) a run of equals */
/** @typedef {{connection: () => import("./store.js").Connection|undefined, item: () => any, query: () => string, select: (item: Item) => void, touched: () => void}} SequenceHost */

/** A list of rows of one height, of which those in sight are elements. */
export class VirtualList {
  /** @param {HTMLElement} box @param {{count: () => number, row: (i: number) => HTMLElement}} host */
  constructor(box, host) {
    this.box = box;
    this.host = host;
    this.height = 30;
    this.all = false; // printed: every row is an element
    this.inner = el("div.inner", { role: "presentation" });
    fill(box, this.inner);
    this.redraw = nextFrame(() => this.draw());
    box.addEventListener("scroll", this.redraw, { passive: true });
    new ResizeObserver(() => {
      const narrow = box.clientWidth < 620;
      box.parentElement?.classList.toggle("narrow", narrow);
      this.height = narrow && box.id === "sequence" ? 50 : 30;
      this.redraw();
    }).observe(box);
  }
  draw() {
    const count = this.host.count(), first = this.all ? 0 : Math.max(0, Math.floor(this.box.scrollTop / this.height) - 6);
    const last = Math.min(count, this.all ? 3000 : first + Math.ceil(this.box.clientHeight / this.height) + 12);
    this.inner.style.height = `${count * this.height}px`;
    this.box.setAttribute("aria-rowcount", String(count));
    fill(this.inner, Array.from({ length: Math.max(0, last - first) }, (_, k) => {
      const row = this.host.row(first + k);
      row.style.top = `${(first + k) * this.height}px`;
      row.id = `${this.box.id}-${first + k}`;
      row.setAttribute("aria-rowindex", String(first + k + 1));
      return row;
    }));
  }
  /** Scrolls as little as it takes to see a row. @param {number} i */
  reveal(i) {
    const top = i * this.height, { scrollTop, clientHeight } = this.box;
    this.inner.style.height = `${this.host.count() * this.height}px`;
    if (top < scrollTop || top + this.height > scrollTop + clientHeight) this.box.scrollTop = top - clientHeight / 3;
    this.box.setAttribute("aria-activedescendant", `${this.box.id}-${i}`);
    this.draw();
  }
}

/** What is listed under which button. @type {[string, (item: Item) => boolean][]} */
const KINDS = [["messages", (i) => i.t === "frame"], ["hardware", (i) => i.lane === "hardware" || i.to === "hardware"],
  ["csms", (i) => i.kind === "ocpp" || i.lane === "csms" || i.to === "csms"], ["timers", (i) => i.kind === "timer"], ["states", (i) => i.kind === "state"], ["notes", () => true]];

/** Whether an item is what was searched for: each word in its name, code, requirement, error or text. @param {Item} item @param {string} query @returns {boolean} */
export function matches(item, query) {
  return query.toLowerCase().split(/\s+/).every((word) => {
    const [, kind, rest] = /^(code|req|msg):(.*)$/.exec(word) ?? [];
    const asked = [item.requirement, ...(item.requirements ?? [])], all = [item.name, item.code, item.error, item.text, ...asked, ...(item.findings ?? [])];
    const within = kind === "code" ? [item.code] : kind === "req" ? asked : kind === "msg" ? [item.t === "frame" ? item.name : ""] : all;
    return within.some((text) => String(text ?? "").toLowerCase().includes(rest ?? word));
  });
}

export class Sequence {
  /** @param {SequenceHost} host */
  constructor(host) {
    this.host = host;
    /** @type {Row[]} */ this.rows = [];
    /** @type {Item[]} */ this.hits = [];
    /** @type {Set<Item>} runs that are unfolded, by their first item */ this.open = new Set();
    /** @type {Set<string>} kinds that are not listed */ this.hidden = new Set(["states"]);
    this.key = "";
    /** @type {number|null} */ this.near = null;
    this.done = { items: 0, rows: 0, hits: 0 }; // what need not be looked at again when more comes
    this.list = new VirtualList(byId("sequence"), { count: () => this.rows.length, row: (i) => this.row(i) });
    for (const name of ["wheel", "touchmove", "keydown"]) byId("sequence").addEventListener(name, () => host.touched(), { passive: true });
    byId("kinds").addEventListener("click", (event) => {
      const kind = /** @type {HTMLElement} */ (event.target).dataset.kind;
      if (!kind) return;
      this.hidden.delete(kind) || this.hidden.add(kind);
      /** @type {HTMLElement} */ (event.target).setAttribute("aria-pressed", String(!this.hidden.has(kind)));
      this.open.clear();
      this.update(true);
    });
  }
  /** Takes what is new into rows; all of it again where something else changed. @param {boolean} [anew] */
  update(anew = false) {
    const of = this.host.connection(), query = this.host.query(), key = `${of?.c} ${query}`, fold = !query && !this.hidden.has("fold");
    if (anew || key !== this.key || of?.disorder) this.done = { items: 0, rows: 0, hits: 0 };
    [this.key, this.rows.length, this.hits.length] = [key, this.done.rows, this.done.hits];
    const items = of?.ordered() ?? [], kinds = KINDS.some(([kind]) => this.hidden.has(kind));
    const listed = (/** @type {Item} */ item) => (!kinds || isBad(item) || !this.hidden.has(KINDS.find(([, is]) => is(item))?.[0] ?? "")) && (!query || matches(item, query));
    const often = (/** @type {Item} */ item) => /^(fact|event)$/.test(item.kind) && (of?.names.get(item.name) ?? 0) > 11;
    const routine = (/** @type {Item} */ item) => item.t === "mark" && !isBad(item) && (item.kind === "state" || item.kind === "timer" || often(item));
    const base = (/** @type {Item} */ item) => item.t + item.name.replace(/Re[qs]$/, "");
    for (let i = this.done.items; i < items.length; ) {
      this.done = { items: i, rows: this.rows.length, hits: this.hits.length };
      const first = items[i], frame = first.t === "frame";
      let last = i, equal = 0, slowest = first;
      for (let j = i; fold && !isBad(first) && (frame || often(first)) && j < items.length; j++) { // polls with what comes with them, or equal marks
        const item = items[j], same = base(item) === base(first) && !isBad(item) && !item.findings;
        if (!same && !(frame && routine(item))) break;
        if (same) [last, equal, slowest] = [j, equal + 1, item.took / item.limit > (slowest.took / slowest.limit || 0) ? item : slowest];
      }
      const run = equal > 5, open = this.open.has(first);
      if (run && listed(first)) this.rows.push({ item: first, last: items[last], times: frame ? Math.ceil(equal / 2) : equal, slowest, open });
      for (let j = i; j <= last; j++) {
        if (!listed(items[j])) continue;
        if (query) this.hits.push(items[j]);
        if (!run || open) this.rows.push({ item: items[j] });
      }
      i = last + 1;
    }
    this.list.redraw();
  }
  /** Row of a message or mark, unfolded where need be; -1: it is not listed. @param {any} item @returns {number} */
  find(item) {
    const place = item ? this.rows.findIndex((row) => row.item === item && !row.last) : -1, at = this.host.connection()?.ordered().indexOf(item) ?? -1;
    if (place >= 0 || at < 0) return place;
    const items = this.host.connection()?.ordered() ?? [], run = this.rows.find((row) => row.last && !row.open && items.indexOf(row.item) <= at && at <= items.indexOf(row.last));
    if (!run) return -1;
    this.toggle(run);
    return this.rows.findIndex((row) => row.item === item && !row.last);
  }
  /** Brings what is selected into sight. */
  reveal() {
    const place = this.find(this.host.item());
    if (place >= 0) this.list.reveal(place);
    else this.list.redraw();
  }
  /** Shows the newest. */
  toEnd() {
    this.list.draw();
    this.list.box.scrollTop = this.list.box.scrollHeight;
  }
  /** What is listed next after what is selected, or before, and fulfils a condition. @param {number} by @param {(item: Item) => boolean} [that] */
  step(by, that = () => true) {
    for (let i = (this.host.item() ? this.find(this.host.item()) : by > 0 ? -1 : this.rows.length) + by; i >= 0 && i < this.rows.length; i += by) {
      if (!this.rows[i].last && that(this.rows[i].item)) return this.rows[i].item;
    }
    return undefined;
  }
  /** Folds and unfolds a run. @param {Row} row */
  toggle(row) {
    if (!this.open.delete(row.item)) this.open.add(row.item);
    this.update(true);
  }
  /** @param {Row} row @returns {HTMLElement} */
  run(row) {
    const { item, last, slowest, times, open } = row, took = slowest?.limit && item.t === "frame" ? `, slowest ${lasting(slowest.took)} of ${lasting(slowest.limit)}` : "";
    return el("div.row.run", { role: "row", "aria-expanded": String(open), onclick: () => this.toggle(row) }, el("span.when", { role: "gridcell" }, item.at.toFixed(3)),
      el("span.said", { role: "gridcell" }, el("b", `${open ? "▾" : "▸"} ${times} × ${item.name.replace(/Re[qs]$/, "")}`), el("span.soft", ` until ${last?.at.toFixed(3)} s${took}`)));
  }
  /** @param {number} i @returns {HTMLElement} */
  row(i) {
    const { item, last } = this.rows[i], frame = item.t === "frame", bad = isBad(item);
    if (last) return this.run(this.rows[i]);
    const from = frame ? item.from : item.lane, to = frame ? (from === "car" ? "station" : "car") : item.to, code = frame && item.error ? "not decoded" : item.code;
    const said = frame ? el("b", item.name || item.type) : [item.kind === "ocpp" && el("b", `${item.name} `), item.text || item.name];
    const label = el("span.label", said, code && el(`span.code${bad ? ".bad" : /^WARNING/.test(code) ? ".warn" : ""}`, code), item.findings && el("span.code.warn", "tolerated"));
    label.title = label.textContent ?? "";
    const took = el("span.took", { role: "gridcell" }), share = item.took / item.limit, how = share > 1 ? ".bad" : share > 0.8 ? ".warn" : "", bar = el(`i${how}`);
    bar.style.width = `${Math.min(100, Math.max(1, share * 100))}%`;
    if (item.took !== undefined) fill(took, el(`span${how}`, lasting(item.took), item.limit && el("span.soft", ` of ${lasting(item.limit)}`)), item.limit && el("span.meter", bar));
    return el("div", { class: `row ${item.t} ${frame ? "" : item.kind}${bad ? " bad" : ""}${item.i === this.near ? " near" : ""}`, role: "row", "aria-selected": String(item === this.host.item()),
      "data-n": frame ? item.n : null, "data-m": item.m, "data-i": item.i, onclick: () => this.host.select(item) },
    el("span.when", { role: "gridcell" }, item.at.toFixed(3)), el("span.lanes", { role: "gridcell", "data-from": from, "data-to": to ?? from }, el("i.arrow"), label), took);
  }
  /** Marks the row that is next to the cursor. @param {number|null} epoch */
  point(epoch) {
    const items = this.host.connection()?.ordered() ?? [];
    let low = 0, high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (items[middle].epoch < (epoch ?? 0)) low = middle + 1;
      else high = middle;
    }
    this.near = epoch === null || this.host.item()?.epoch === epoch ? null : (items[low]?.i ?? null);
    this.list.inner.querySelector(".near")?.classList.remove("near");
    this.list.inner.querySelector(`[data-i="${this.near}"]`)?.classList.add("near");
  }
}
