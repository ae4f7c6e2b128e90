// @ts-check
// The viewer: one state (what is selected, searched, zoomed), written into the address, and the panes that show it.
import { byId, clock, el, fill, lasting, nextFrame } from "./dom.js";
import { Store, isBad } from "./store.js";
import { followStream, readPacked } from "./source.js";
import { forgetColours } from "./plot.js";
import { Chart } from "./chart.js";
import { Sequence, matches } from "./sequence.js";
import { Detail, cited, reasonOf } from "./detail.js";
import { Fleet } from "./fleet.js";
import { Pairs } from "./pairs.js";

/** @typedef {import("./store.js").Item} Item */

const store = new Store(), page = document.documentElement, searchBox = /** @type {HTMLInputElement} */ (byId("search")), keys = /** @type {HTMLDialogElement} */ (byId("keys"));
const source = /** @type {HTMLMetaElement|null} */ (document.querySelector("meta[name=source]"))?.content ?? "";
/** What is shown; c, n, m, pair: -1 is none; own: a reader chose the connection. */
const state = { c: -1, n: -1, m: -1, pair: -1, tab: "", q: "", req: "", range: /** @type {[number, number]|null} */ (null), fleet: false, follow: false, own: false };
const current = () => store.connections.get(state.c), selected = () => current()?.frames[state.n] ?? current()?.marks[state.m];
const chart = new Chart({ connection: current, item: selected, range: () => state.range, hits: () => sequence.hits, cursor: setCursor, pick: pickAt, zoom: (range) => { state.range = range; chart.redraw(); writeAddress(); } });
const sequence = new Sequence({ connection: current, item: selected, query: () => state.q, select: choose, touched: () => setFollow(false) });
const detail = new Detail({ store, connection: current, item: selected, pair: () => pairs.rows[state.pair], tab: () => state.tab, requirement: () => state.req, open: (tab) => { state.tab = tab; detail.draw(); writeAddress(); } });
const fleet = new Fleet({ store, cursor: setCursor, pick: (c, epoch) => { state.fleet = false; select(c); show("time"); setCursor(Math.min(epoch, current()?.until ?? epoch)); } });
const pairs = new Pairs({ store, chosen: () => state.pair, choose: (i) => { setPair(i); show("detail"); } });

/** The one cursor of all panes. @param {number|null} epoch */
function setCursor(epoch) {
  chart.at = fleet.at = epoch;
  if (state.fleet) return fleet.move();
  chart.move();
  sequence.point(epoch);
}

/** Selects a connection, and a message or mark of it. @param {number} c @param {number} [n] @param {number} [m] */
function select(c, n = -1, m = -1) {
  if (c !== state.c) [state.range, chart.at, fleet.at] = [null, null, null];
  Object.assign(state, { c, n, m, own: true });
  const item = selected();
  if (item) setFollow(false), setCursor(item.epoch);
  draw();
  sequence.reveal();
  writeAddress();
}

/** Selects an item. @param {Item|undefined} item @param {boolean} [open] its detail, too, where there is room for one pane */
function choose(item, open = true) {
  if (!item) return;
  state.req = "";
  select(item.c, item.t === "frame" ? item.n : -1, item.t === "mark" ? item.m : -1);
  if (open) show("detail");
}

/** Selects the message next to a time. @param {number} epoch */
function pickAt(epoch) {
  const frames = current()?.frames.filter(Boolean) ?? [], far = (/** @type {Item} */ item) => Math.abs(item.epoch - epoch);
  choose(frames.reduce((best, item) => (far(item) < far(best) ? item : best), frames[0]), false);
}

/** @param {number} i */
function setPair(i) {
  state.pair = i;
  pairs.list.reveal(i);
  detail.draw();
  writeAddress();
}

/** Stays at the newest, or no longer. @param {boolean} on */
function setFollow(on) {
  state.follow = on && source !== "";
  byId("follow").setAttribute("aria-pressed", String(state.follow));
}

/** Opens one pane where there is room for one. @param {string} pane */
function show(pane) {
  page.dataset.pane = pane;
  for (const button of byId("places").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.pane === pane));
  chart.redraw();
}

/** Writes what is selected into the address. */
function writeAddress() {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) if (/^(c|n|m|pair|tab|q|req)$/.test(key) && value !== "" && value !== -1) parts.set(key, String(value));
  state.range?.forEach((epoch, i) => parts.set(`t${i}`, epoch.toFixed(3)));
  history.replaceState(null, "", state.fleet ? "#fleet" : `#${parts}`);
}

/** Selects what the address says. */
function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1)), number = (/** @type {string} */ key) => Number(parts.get(key) ?? -1), text = (/** @type {string} */ key) => parts.get(key) ?? "", [t0, t1] = [number("t0"), number("t1")];
  state.fleet = location.hash === "#fleet";
  if (!parts.has("c")) return;
  Object.assign(state, { c: number("c"), n: number("n"), m: number("m"), pair: number("pair"), tab: text("tab"), q: text("q"), req: text("req"), range: t1 > t0 && t0 > 0 ? [t0, t1] : null, own: true });
  searchBox.value = state.q;
  const item = selected();
  if (item) setCursor(item.epoch);
  if (item || state.tab) show("detail");
}

let [listed, listedAt] = ["", 0];
/** The list of connections, each with its verdict. Numbers that merely grow are renewed once a second. */
function list() {
  const all = [...store.connections.values()], known = JSON.stringify([state.c, state.q, all.map((of) => of.told)]);
  if (known === listed && performance.now() - listedAt < 1000) return;
  const held = /** @type {HTMLElement|null} */ (document.activeElement?.closest("#connections [data-c]"))?.dataset.c;
  [listed, listedAt] = [known, performance.now()];
  fill(byId("connections"), all.map((of) => {
    const { about, verdict } = of, how = verdict?.over ? (verdict.well ? "well" : "bad") : "running", found = state.q ? of.items.filter((item) => matches(item, state.q)).length : 0;
    const facts = [about.outlet, about.side === "evcc" && "seen by the car", clock(about.began), of.until > of.from && lasting(of.until - of.from), `${of.frames.length} messages`, state.q && `${found} found`];
    return el(`li.${how}`, { "data-c": of.c, "aria-current": of.c === state.c && "true" },
      el("button", { type: "button", onclick: () => { state.req = ""; select(of.c); show("sequence"); } }, el("span.name", about.title || `Connection ${about.number ?? of.c}`), el("span.verdict", { title: verdict?.ended }, verdict?.ended || "running"), el("span.soft", facts.filter(Boolean).join(" · "))),
      verdict && !verdict.well && el("p", reasonOf(verdict), " ", cited(verdict.requirement, of, of.frames[verdict.n ?? -1])));
  }));
  if (held) /** @type {HTMLElement|null} */ (byId("connections").querySelector(`[data-c="${held}"] button`))?.focus();
}

/** Shows the state in all panes. */
function draw() {
  if (source) store.forget(500, state.c);
  if (!current() || (state.follow && !state.own)) state.c = (source ? [...store.connections.keys()].pop() : store.connections.keys().next().value) ?? -1;
  const compared = store.pairs.length > 0, { title, dropped } = store.head;
  fill(byId("title"), title || "v2gkit", dropped && ` (${dropped} older connections are no longer kept)`);
  byId("to-fleet").hidden = store.connections.size < 2 || compared;
  byId("to-fleet").setAttribute("aria-pressed", String(state.fleet));
  [byId("fleet").hidden, byId("pairs-pane").hidden, byId("sequence-pane").hidden] = [!state.fleet, !compared, compared];
  page.dataset.view = state.fleet ? "fleet" : compared ? "pairs" : "session";
  if (state.fleet) return fleet.redraw();
  list();
  if (compared) pairs.update();
  sequence.update();
  byId("found").textContent = state.q ? `${sequence.hits.length} found` : "";
  chart.redraw();
  detail.draw();
  if (state.follow) sequence.toEnd();
}

/** The next message after the selected one for which something holds; of a comparison the next row. @param {number} by @param {(item: Item) => boolean} [that] */
function go(by, that) {
  if (store.pairs.length) setPair(pairs.step(by, Boolean(that)));
  else choose(sequence.step(by, that), false);
}

/** @param {number} by */
function neighbour(by) {
  const all = [...store.connections.keys()], next = all[all.indexOf(state.c) + by];
  if (next !== undefined) select(next);
}

/** Goes back by one: from the fleet, the search, the message. */
function back() {
  if (state.fleet) byId("to-fleet").click();
  else if (document.activeElement === searchBox) searchBox.blur();
  else if (selected()) select(state.c);
  show("sequence");
}

/** @type {Record<string, () => void>} what a key does */
const ACTIONS = { j: () => go(1), ArrowDown: () => go(1), k: () => go(-1), ArrowUp: () => go(-1), n: () => go(1, isBad), p: () => go(-1, isBad), "]": () => neighbour(1), "[": () => neighbour(-1), "/": () => searchBox.focus(),
  "+": () => chart.zoom(0.5), "=": () => chart.zoom(0.5), "-": () => chart.zoom(2), 0: () => chart.zoom(Infinity), "?": () => keys.showModal(), f: () => byId("to-fleet").click(), Escape: back, Enter: () => { show("detail"); byId("panel").focus(); } };

/** Listens to keys, buttons, search, address, theme and printer. */
function listen() {
  const on = (/** @type {string} */ id, /** @type {string} */ name, /** @type {(event: any) => void} */ work) => byId(id).addEventListener(name, work);
  addEventListener("hashchange", () => { readAddress(); draw(); sequence.reveal(); });
  addEventListener("keydown", (event) => {
    const at = /** @type {Element} */ (event.target), enter = event.key === "Enter" && at.closest("button, a, summary, [data-step], [data-outlet]"), own = /^Arrow/.test(event.key) && at.closest("#panel, #table, #connections");
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open || enter || own || (at === searchBox && event.key !== "Escape") || !ACTIONS[event.key]) return;
    event.preventDefault();
    ACTIONS[event.key]();
  });
  const search = nextFrame(() => { state.q = searchBox.value.trim(); draw(); writeAddress(); }), options = (/** @type {Iterable<string>} */ words) => [...words].slice(0, 300).map((value) => el("option", { value }));
  on("search", "input", search);
  on("search", "focus", () => fill(byId("words"), options(current()?.names.keys() ?? []), options([...store.requirements.keys()].map((id) => `req:${id}`)), options(["code:FAILED", "code:WARNING"])));
  on("find", "submit", (event) => { event.preventDefault(); choose(sequence.hits[0]); });
  on("to-fleet", "click", () => { state.fleet = !state.fleet; writeAddress(); draw(); });
  on("follow", "click", () => { setFollow(!state.follow); if (state.follow) Object.assign(state, { n: -1, m: -1, own: false }); draw(); });
  on("help", "click", ACTIONS["?"]);
  on("places", "click", (event) => event.target.dataset.pane && show(event.target.dataset.pane));
  const restyle = () => { forgetColours(); chart.draw(); fleet.draw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  for (const name of ["beforeprint", "afterprint"]) addEventListener(name, () => {
    page.toggleAttribute("data-print", name === "beforeprint");
    for (const { list } of [sequence, pairs]) { list.all = name === "beforeprint"; list.draw(); }
    restyle();
  });
}

/** Says that all that was read so far is shown. */
function ready() {
  draw();
  sequence.reveal();
  requestAnimationFrame(() => { page.dataset.ready = "1"; performance.mark("v2g-ready"); });
}

/** Shows the viewer instead of the static page, and begins to read. */
async function start() {
  const soon = nextFrame(draw), still = document.getElementById("static"), status = (/** @type {string} */ text) => { byId("status").textContent = byId("status").dataset.is = text; };
  Object.assign(globalThis, { v2g: { store, select, cursor: setCursor } });
  [byId("viewer").hidden, page.dataset.viewer] = [false, "1"];
  if (still) still.hidden = true;
  listen();
  show("connections");
  readAddress();
  if (source) {
    setFollow(!state.own);
    byId("follow").hidden = false;
    followStream(source, { status, line: (line) => { store.add(line); soon(); }, reset: () => { store.clear(); soon(); } });
    return ready();
  }
  let painted = 0;
  try {
    await readPacked(store, () => { if (performance.now() - painted > 250) { painted = performance.now(); soon(); } });
    readAddress();
    ready();
  } catch (error) {
    status(`this page could not be unpacked: ${error}`);
    if (still) still.hidden = false;
  }
}
start();
