// The page of the fleet: stations and sessions as they are, power over time, the schedule beside what happened, the story.
import { amount, byId, clock, dated, el, fill, lasting, nextFrame } from "./dom.js";
import { forgetColours, panel, paper, rangeOf, timeAxis, valueAt } from "./plot.js";
/** @typedef {{id: string, evse: number|null, began: number, power: number|null, planned: number|null, viewer: string|null,
 *   imported: number, exported: number, charging_state?: string, operation_mode?: string}} Running */
/** @typedef {{id: string, version: string, status: string, process: string, connected: boolean, connectors: Record<string, string>,
 *   running: Running[]}} Station */
/** @typedef {{at: number, process: string, imported: number, exported: number, planned: number, sessions: number}} Power */
/** @typedef {{at: number, station: string, topic: string, text: string}} Entry */
const KEPT = 200; // lines of the story on the page
const POINTS = 4000; // sums of power on the page: more than an hour of four processes
const STALE = 12; // s after which what a process said counts no more
const SHOWN = 300; // stations that are drawn: beyond, those that run come first
const AGAIN = 5000; // ms between two looks at a session
const state = {
  stations: /** @type {Map<string, Station>} */ (new Map()), powers: /** @type {Power[]} */ ([]), entries: /** @type {Entry[]} */ ([]),
  chosen: /** @type {[string, string]|null} station and transaction */ (null), curve: /** @type {any} */ (null),
};
/** A curve for the session viewer's charts. @param {string} role @param {string} name @param {number[][]} points */
export function curveOf(role, name, points) {
  const xs = points.map(([at]) => at), ys = points.map(([, value]) => value);
  const [low, high] = [ys.reduce((a, b) => Math.min(a, b), 0), ys.reduce((a, b) => Math.max(a, b), 0)];
  return /** @type {any} */ ({ name, label: name, unit: "W", role, step: true, until: null, low, high, xs, ys });
}
/** The sums of all processes: at each time what each said last. @param {Power[]} powers @param {(power: Power) => number} value */
export function summed(powers, value) {
  const latest = new Map(), points = /** @type {number[][]} */ ([]);
  for (const power of [...powers].sort((a, b) => a.at - b.at)) {
    latest.set(power.process, power);
    const alive = [...latest.values()].filter(({ at }) => power.at - at < STALE);
    points.push([power.at, alive.reduce((sum, one) => sum + value(one), 0)]);
  }
  return points;
}
/** Draws curves on a canvas, with the axis of time. @param {string} id @param {any[]} curves @param {number} t0 @param {number} t1 */
function chart(id, curves, t0, t1) {
  const canvas = /** @type {HTMLCanvasElement} */ (byId(id)), { width, height } = canvas.getBoundingClientRect();
  if (width < 10) return;
  const ctx = paper(canvas, width, height), span = { t0, t1: Math.max(t1, t0 + 10), left: 64, right: width - 6 }, end = height - 20;
  timeAxis(ctx, span, 4, end);
  const filled = curves.filter(({ xs }) => xs.length);
  if (filled.length) panel(ctx, filled, span, 6, end, t1, rangeOf(filled));
}
/** The fleet's power. */
function drawPower() {
  const { powers } = state, newest = powers.length ? summed(powers.slice(-40), (one) => one.imported - one.exported).at(-1) : null;
  if (!newest) return fill(byId("power-says"), "no power was summed up yet");
  const [t1] = newest, t0 = Math.min(powers[0].at, t1 - 60), last = (value) => summed(powers.slice(-40), value).at(-1)?.[1] ?? 0;
  const imports = curveOf("power", "power", summed(powers, (one) => one.imported)), planned = summed(powers, (one) => one.planned);
  const exports = curveOf("power", "power", summed(powers, (one) => -one.exported));
  chart("power", [imports, exports, curveOf("profile", "schedule", planned)], t0, t1);
  fill(byId("power-says"), el("span", `${clock(t1)}: `, el("b", amount(last((one) => one.imported), "W")), " into cars, ",
    el("b", amount(last((one) => one.exported), "W")), " out of cars, schedules ask for ",
    amount(last((one) => one.planned), "W"), " (dashed)"));
}
/** The session that is chosen: what flowed, beside what was planned. */
function drawSession() {
  const { chosen, curve } = state;
  byId("session").hidden = !chosen || !curve;
  if (!chosen || !curve) return;
  const power = curveOf("power", "power", curve.power), end = curve.ended ?? Date.now() / 1000;
  const plans = curve.planned.map(({ kind, points }) => curveOf(kind === "chosen" ? "asked" : "profile", kind, points));
  const ahead = Math.max(...plans.flatMap(({ xs }) => xs.slice(-1)), end), t0 = Math.min(curve.began ?? end, power.xs[0] ?? end);
  const t1 = Math.min(ahead, end + Math.max(60, (end - t0) / 2));
  chart("curve", [power, ...plans], t0, t1);
  const plan = plans.length ? valueAt(plans[plans.length - 1], end, t1) : null;
  fill(byId("session-name"), `${chosen[0]}, ${chosen[1]} `, curve.viewer && el("small", viewerOf(curve.viewer)));
  fill(byId("session-says"), curve.began && `began ${dated(curve.began).slice(0, 19)}, `, curve.ended ? "ended" : "runs",
    power.ys.length > 0 && `, ${amount(power.ys[power.ys.length - 1], "W")} by the meter`,
    typeof plan === "number" && `, ${amount(plan, "W")} by the schedule`, plans.length > 0 && ` (dashed: ${curve.planned.at(-1).kind})`);
}
/** A link to the session in the viewer, where its address is one. @param {string} address */
function viewerOf(address) {
  const link = document.createElement("a");
  if (/^https?:\/\//.test(address)) Object.assign(link, { href: address, target: "_blank", rel: "noopener", textContent: "every message" });
  return link;
}
/** One session as a button that chooses it. @param {Station} station @param {Running} tx */
function sessionOf(station, tx) {
  const on = state.chosen?.[1] === tx.id && state.chosen[0] === station.id;
  const soft = [tx.charging_state, tx.operation_mode, tx.began && lasting(Date.now() / 1000 - tx.began)].filter(Boolean).join(" · ");
  const onclick = () => choose(on ? null : [station.id, tx.id]);
  return el("button", { type: "button", "aria-pressed": String(on), "data-transaction": tx.id, onclick },
    el("span", `EVSE ${tx.evse ?? "?"}`), el("b", amount(tx.power ?? 0, "W")),
    tx.planned !== null && el("span", `of ${amount(tx.planned, "W")} planned`),
    el("span", `${amount(tx.imported, "Wh")} in, ${amount(tx.exported, "Wh")} out`), soft && el("span.soft", soft));
}
/** A station as an article. @param {Station} station */
function stationOf(station) {
  const is = !station.connected ? "gone" : station.running.length ? "running" : "idle";
  const connectors = Object.entries(station.connectors).map(([evse, how]) => `${evse}: ${how}`);
  const said = [station.connected ? station.version : "not connected", station.status, ...connectors];
  return el(`article.outlet.${is}.station`, { "data-station": station.id }, el("h3", station.id, " ", el("small", station.process)),
    el("p", said.filter(Boolean).join(" · ")),
    station.running.length > 0 && el("div.sessions", station.running.map((tx) => sessionOf(station, tx))));
}
/** All stations, those that run first. */
function drawStations() {
  const all = [...state.stations.values()], rank = (one) => (one.running.length ? 0 : one.connected ? 1 : 2);
  all.sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  const held = document.activeElement?.closest("[data-transaction]")?.getAttribute("data-transaction");
  for (const old of document.querySelectorAll(".station")) old.remove();
  byId("story-title").closest("article")?.before(...all.slice(0, SHOWN).map(stationOf));
  if (held) /** @type {HTMLElement|null} */ (document.querySelector(`[data-transaction="${CSS.escape(held)}"]`))?.focus();
  const connected = all.filter((one) => one.connected).length, sessions = all.reduce((sum, one) => sum + one.running.length, 0);
  const beyond = all.length > SHOWN ? `, ${SHOWN} of them shown` : "";
  fill(byId("count"), `${connected} of ${all.length} stations connected${beyond}`); fill(byId("total"), `sessions: ${sessions}`);
}
/** The story, the newest first. */
function drawStory() {
  const lineOf = ({ at, station, text }) => el("li", el("time", clock(at, 60).slice(0, 8)), el("span", station), el("span", text));
  const lines = state.entries.map(lineOf);
  fill(byId("story"), lines.length ? lines.reverse() : el("li.none", "nothing happened yet"));
}
const drawAll = nextFrame(() => { drawStations(); drawPower(); drawSession(); drawStory(); });
/** Chooses a session, or none. @param {[string, string]|null} chosen */
function choose(chosen) {
  [state.chosen, state.curve] = [chosen, null];
  history.replaceState(null, "", chosen ? `#${chosen.map(encodeURIComponent).join("/")}` : "#");
  drawAll(); look();
}
/** Asks for the curves of the session that is chosen. */
async function look() {
  const { chosen } = state;
  if (!chosen) return;
  const [station, transaction] = chosen.map(encodeURIComponent);
  const answer = await fetch(`/v1/stations/${station}/transactions/${transaction}/curve`).catch(() => null);
  if (answer?.ok && chosen === state.chosen) { state.curve = await answer.json(); drawAll(); }
}
/** @param {Power} power */
function take(power) { state.powers.push(power); if (state.powers.length > POINTS) state.powers.splice(0, state.powers.length - POINTS); }
/** Follows what happens. */
function follow() {
  const stream = new EventSource("/v1/stream"), status = (text) => { byId("status").textContent = byId("status").dataset.is = text; };
  const on = (kind, work) => stream.addEventListener(kind, (event) => { work(JSON.parse(event.data)); drawAll(); });
  on("fleet", ({ stations, power }) => {
    state.stations = new Map(stations.map((one) => [one.id, one])); state.powers = power; status("live");
    document.documentElement.dataset.ready = "1";
  });
  on("stations", (stations) => { for (const one of stations) state.stations.set(one.id, one); });
  on("power", take);
  on("entry", (entry) => { state.entries.push(entry); if (state.entries.length > KEPT) state.entries.shift(); });
  stream.onerror = () => {
    status("lost, trying again");
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  };
}
/** Shows the page, and begins to follow. */
async function start() {
  document.documentElement.dataset.viewer = "1"; document.documentElement.dataset.view = "fleet";
  const asked = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (asked.length === 2) state.chosen = [asked[0], asked[1]];
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { forgetColours(); drawAll(); });
  new ResizeObserver(drawAll).observe(byId("fleet")); setInterval(look, AGAIN);
  const told = await fetch("/v1/story?newest=true&limit=100").catch(() => null);
  if (told?.ok) state.entries = (await told.json()).rows.reverse();
  follow(); look();
}
start();
