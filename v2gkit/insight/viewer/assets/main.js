// The viewer: what is selected, searched and zoomed, written into the address, and the panes that show it.
import { byId, clock, el, fill, lasting, nextFrame } from "./dom.js";
import { Store, isBad } from "./store.js";
import { followStream, readPacked } from "./source.js";
import { forgetColours } from "./plot.js";
import { Chart } from "./chart.js";
import { Sequence, matches } from "./sequence.js";
import { Detail, cited, reasonOf, titleOf } from "./detail.js";
import { Fleet } from "./fleet.js";
import { Pairs } from "./pairs.js";
const page = document.documentElement, search = /** @type {any} */ (byId("search")), keys = /** @type {any} */ (byId("keys"));
const source = /** @type {HTMLMetaElement|null} */ (document.querySelector("meta[name=source]"))?.content ?? "";
const way = { fleet: false, follows: false, own: false, listed: "", listedAt: 0 }; // own: a reader chose the connection
/** @type {import("./store.js").App} */
const app = { store: new Store(), c: -1, n: -1, m: -1, pair: -1, tab: "", q: "", req: "", range: null, at: null,
  of: () => app.store.connections.get(app.c), item: () => app.of()?.frames[app.n] ?? app.of()?.marks[app.m], hits: () => sequence.hits,
  row: () => pairs.rows[app.pair], choose: (item) => { choose(item); show("detail"); },
  open: (tab) => { app.tab = tab; detail.draw(); writeAddress(); },
  zoom: (range) => { app.range = range; chart.redraw(); writeAddress(); }, compare: (i) => { compare(i); show("detail"); },
  visit: (c, epoch) => { way.fleet = false; select(c); show("time"); app.cursor(Math.min(epoch, app.of()?.until ?? epoch)); },
  pick: (epoch) => {
    const frames = app.of()?.frames.filter(Boolean) ?? [], far = (item) => Math.abs(item.epoch - epoch);
    choose(frames.reduce((best, item) => (far(item) < far(best) ? item : best), frames[0]));
  },
  cursor: (epoch) => { app.at = epoch; if (way.fleet) return fleet.move(); chart.move(); sequence.point(epoch); },
  follow: (on) => { way.follows = on && source !== ""; byId("follow").setAttribute("aria-pressed", String(way.follows)); } };
const chart = new Chart(app), sequence = new Sequence(app), detail = new Detail(app), fleet = new Fleet(app), pairs = new Pairs(app);
/** Selects a connection, and a message or mark of it. @param {number} c @param {number} [n] @param {number} [m] */
function select(c, n = -1, m = -1) {
  if (c !== app.c) [app.range, app.at] = [null, null];
  [app.c, app.n, app.m, way.own] = [c, n, m, true]; if (app.item()) app.follow(false), app.cursor(app.item().epoch);
  draw(); sequence.reveal(); writeAddress();
}
/** Selects a message or mark. @param {any} item */
function choose(item) { app.req = ""; if (item) select(item.c, item.t === "frame" ? item.n : -1, item.t === "mark" ? item.m : -1); }
/** Selects a row of a comparison. @param {number} i */
function compare(i) { app.pair = i; pairs.list.reveal(i); detail.draw(); writeAddress(); }
/** Opens one pane where there is room for one. @param {string} pane */
function show(pane) {
  page.dataset.pane = pane;
  for (const button of byId("places").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.pane === pane));
  chart.redraw();
}
/** Writes what is selected into the address. */
function writeAddress() {
  const { c, n, m, pair, tab, q, req } = app, parts = new URLSearchParams();
  for (const [key, value] of Object.entries({ c, n, m, pair, tab, q, req })) if (value !== "" && value !== -1) parts.set(key, value);
  app.range?.forEach((epoch, i) => parts.set(`t${i}`, epoch.toFixed(3)));
  history.replaceState(null, "", way.fleet ? "#fleet" : `#${parts}`);
}
/** Selects what the address says. */
function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1)), number = (key) => Number(parts.get(key) ?? -1);
  way.fleet = location.hash === "#fleet";
  if (!parts.has("c")) return;
  for (const key of ["c", "n", "m", "pair"]) app[key] = number(key);
  for (const key of ["tab", "q", "req"]) app[key] = parts.get(key) ?? "";
  app.range = number("t1") > number("t0") && number("t0") > 0 ? [number("t0"), number("t1")] : null;
  [way.own, search.value] = [true, app.q];
  if (app.item()) app.cursor(app.item().epoch); if (app.item() || app.tab) show("detail");
}
/** The list of connections, each with its verdict. Numbers that merely grow are renewed once a second. */
function list() {
  const all = [...app.store.connections.values()], known = JSON.stringify([app.c, app.q, all.map((of) => of.told)]);
  const held = document.activeElement?.closest("#connections [data-c]")?.getAttribute("data-c");
  if (known === way.listed && performance.now() - way.listedAt < 1000) return;
  [way.listed, way.listedAt] = [known, performance.now()];
  fill(byId("connections"), all.map((of) => {
    const { about, verdict, c } = of, how = verdict?.over ? (verdict.well ? "well" : "bad") : "running", long = of.until - of.from;
    const seen = about.side === "evcc" && "by the car", count = `${of.frames.length} messages`;
    const facts = [about.outlet, seen, clock(about.began), long > 0 && lasting(long), of.frames.length && count];
    const onclick = () => { app.req = ""; select(c); show("sequence"); };
    if (app.q) facts.push(`${of.items.filter((item) => matches(item, app.q)).length} found`);
    const more = verdict && !verdict.well && el("p", reasonOf(verdict), " ", cited(verdict.requirement, of, of.frames[verdict.n ?? -1]));
    return el(`li.${how}`, { "data-c": c, "aria-current": c === app.c && "true" },
      el("button", { type: "button", onclick }, el("span.name", titleOf(of)), el("span.verdict", verdict?.ended || "running"),
        el("span.soft", facts.filter(Boolean).join(" · "))), more);
  }));
  if (held) /** @type {HTMLElement|null} */ (byId("connections").querySelector(`[data-c="${held}"] button`))?.focus();
}
/** Shows it all in all panes. */
function draw() {
  const { store } = app, compared = store.pairs.length > 0;
  if (source) store.forget(500, app.c);
  if (!app.of() || (way.follows && !way.own)) app.c = [...store.connections.keys()].at(source ? -1 : 0) ?? -1;
  fill(byId("title"), store.head.title || "v2gkit", store.head.dropped && ` (${store.head.dropped} older connections are no longer kept)`);
  byId("to-fleet").hidden = store.connections.size < 2 || compared; byId("to-fleet").setAttribute("aria-pressed", String(way.fleet));
  [byId("fleet").hidden, byId("pairs-pane").hidden, byId("sequence-pane").hidden] = [!way.fleet, !compared, compared];
  page.dataset.view = way.fleet ? "fleet" : compared ? "pairs" : "session";
  if (way.fleet) return fleet.redraw();
  list(); if (compared) pairs.update();
  sequence.update(); byId("found").textContent = app.q ? `${sequence.hits.length} found` : ""; chart.redraw(); detail.draw();
  if (way.follows) sequence.toEnd();
}
/** Selects the next message for which something holds; of a comparison the next row. @param {number} by @param {any} [that] */
function go(by, that) {
  if (app.store.pairs.length) compare(pairs.step(by, Boolean(that))); else choose(sequence.step(by, that));
}
/** The connection before or after. @param {number} by */
function beside(by) { const all = [...app.store.connections.keys()], next = all[all.indexOf(app.c) + by]; if (next >= 0) select(next); }
/** Goes back by one: from the fleet, the search, the message. */
function back() {
  if (way.fleet) byId("to-fleet").click();
  else if (document.activeElement === search) search.blur();
  else if (app.item()) select(app.c);
  show("sequence");
}
/** @type {Record<string, () => void>} what a key does */
const ACTIONS = { j: () => go(1), k: () => go(-1), n: () => go(1, isBad), p: () => go(-1, isBad), "]": () => beside(1),
  "[": () => beside(-1), "+": () => chart.zoom(0.5), "-": () => chart.zoom(2), 0: () => chart.zoom(Infinity), "/": () => search.focus(),
  "?": () => keys.showModal(), f: () => byId("to-fleet").click(), Escape: back, Enter: () => { show("detail"); byId("panel").focus(); } };
const SAME = { ArrowDown: "j", ArrowUp: "k", "=": "+" };
/** Listens to keys, buttons, search, address, theme and printer. */
function listen() {
  const on = (id, name, work) => byId(id).addEventListener(name, work), restyle = () => { forgetColours(); chart.draw(); fleet.draw(); };
  addEventListener("hashchange", () => { readAddress(); draw(); sequence.reveal(); });
  addEventListener("keydown", (event) => {
    const at = /** @type {Element} */ (event.target), { key } = event, action = ACTIONS[SAME[key] ?? key];
    const own = { Enter: "button, a, summary, [data-step], [data-outlet]", ArrowUp: "#panel, #table", ArrowDown: "#panel, #table" }[key];
    const typed = at === search && key !== "Escape", chord = event.ctrlKey || event.metaKey || event.altKey;
    if (!action || chord || typed || keys.open || (own && at.closest(own))) return;
    event.preventDefault(); action();
  });
  on("search", "input", nextFrame(() => { app.q = search.value.trim(); draw(); writeAddress(); }));
  const words = () => [...(app.of()?.names.keys() ?? []), ...[...app.store.requirements.keys()].map((id) => `req:${id}`), "code:FAILED"];
  on("search", "focus", () => fill(byId("words"), words().slice(0, 500).map((value) => el("option", { value }))));
  on("find", "submit", (event) => { event.preventDefault(); choose(sequence.hits[0]); });
  on("to-fleet", "click", () => { way.fleet = !way.fleet; writeAddress(); draw(); });
  on("follow", "click", () => { app.follow(!way.follows); if (way.follows) [app.n, app.m, way.own] = [-1, -1, false]; draw(); });
  on("help", "click", ACTIONS["?"]); on("places", "click", ({ target }) => target.dataset.pane && show(target.dataset.pane));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  for (const name of ["beforeprint", "afterprint"]) addEventListener(name, () => {
    page.toggleAttribute("data-print", name === "beforeprint");
    for (const { list } of [sequence, pairs]) { list.all = name === "beforeprint"; list.draw(); } restyle();
  });
}
/** Says that all that was read so far is shown. */
function ready() { draw(); sequence.reveal(); requestAnimationFrame(() => { page.dataset.ready = "1"; performance.mark("v2g-ready"); }); }
/** Shows the viewer, and begins to read. */
async function start() {
  const soon = nextFrame(draw), status = (text) => { byId("status").textContent = byId("status").dataset.is = text; };
  let painted = 0; Object.assign(globalThis, { v2g: { store: app.store, select, cursor: app.cursor } });
  [byId("viewer").hidden, page.dataset.viewer] = [false, "1"]; listen(); show("connections"); readAddress();
  if (source) {
    app.follow(!way.own); byId("follow").hidden = false;
    followStream(source, { status, line: (line) => { app.store.add(line); soon(); }, reset: () => { app.store.clear(); soon(); } });
    return ready();
  }
  try {
    await readPacked(app.store, () => { if (performance.now() - painted > 250) painted = performance.now(), soon(); });
    readAddress(); ready();
  } catch (error) { status(`this page could not be unpacked: ${error}`); }
}
start();
