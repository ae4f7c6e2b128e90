// The page of a fleet: sites as they are, power against what is allowed, signals, who was shed and why, revenue by tier, sessions.
import { amount, byId, clock, el, fill, nextFrame } from "./dom.js";
import { panel, paper, rangeOf, timeAxis } from "./plot.js";
const EVERY = 2000; // ms between two looks
const SHOWN = 60; // rows of a list
const POINTS = 1000; // rows of power: of two sites each minute a working day
/** What the REST says at a path, null where it says nothing. @param {string} path */
async function asked(path) {
  const answer = await fetch(`/v1/${path}`);
  if (!answer.ok) throw new Error(`${answer.status} ${(await answer.json()).error ?? ""}`);
  return answer.json();
}
/** A curve for the session viewer's charts. @param {string} role @param {string} name @param {number[][]} points */
function curveOf(role, name, points) {
  const xs = points.map(([at]) => at), ys = points.map(([, value]) => value);
  const [low, high] = [ys.reduce((a, b) => Math.min(a, b), 0), ys.reduce((a, b) => Math.max(a, b), 0)];
  return /** @type {any} */ ({ name, label: name, unit: "W", role, step: true, until: null, low, high, xs, ys });
}
/** The sum over all sites of what each said last. @param {any[]} rows @param {string} name */
export function summed(rows, name) {
  const latest = new Map(), points = /** @type {number[][]} */ ([]);
  for (const row of [...rows].sort((a, b) => a.at - b.at)) {
    latest.set(row.site, row);
    const values = [...latest.values()].map((one) => one[name] ?? 0), sum = values.reduce((a, b) => a + b, 0);
    if (points.length && points[points.length - 1][0] === row.at) points[points.length - 1][1] = sum;
    else points.push([row.at, sum]);
  }
  return points;
}
/** @param {any[]} rows */
function drawPower(rows) {
  const canvas = /** @type {HTMLCanvasElement} */ (byId("power")), { width, height } = canvas.getBoundingClientRect();
  if (!rows.length) return fill(byId("power-says"), "nothing was metered yet");
  const power = curveOf("power", "power", summed(rows, "power")), planned = curveOf("profile", "ordered", summed(rows, "planned"));
  const cap = curveOf("asked", "allowed", summed(rows, "cap")), t0 = power.xs[0], t1 = power.xs[power.xs.length - 1];
  if (width >= 10) {
    const ctx = paper(canvas, width, height), span = { t0, t1: Math.max(t1, t0 + 10), left: 64, right: width - 6 }, end = height - 20;
    timeAxis(ctx, span, 4, end);
    panel(ctx, [power, planned, cap], span, 6, end, t1, rangeOf([power, planned, cap]));
  }
  const last = (curve) => amount(curve.ys[curve.ys.length - 1], "W");
  fill(byId("power-says"), el("span", `${clock(t1)}: `, el("b", last(power)), " flow, ", last(planned), " are ordered (dashed), ", last(cap), " are allowed"));
}
/** @param {any} site */
function siteOf(site) {
  const cars = site.assets.filter((asset) => asset.car), drawn = cars.reduce((sum, asset) => sum + (asset.car.drawn ?? 0), 0);
  const short = site.assets.filter((asset) => asset.car && asset.order && asset.order.power < asset.car.wanted - 100);
  const cap = site.held.import_cap, box = el("article"), deaf = site.assets.filter((asset) => asset.order?.state === "refused");
  box.className = `outlet ${short.length ? "short" : "calm"}`;
  box.setAttribute("aria-label", `Site ${site.id}`);
  fill(box, el("h3", site.name || site.id),
    el("p", el("b", amount(drawn, "W")), ` into ${cars.length} of ${site.assets.length} assets, the connection admits `, amount(site.limit, "W")),
    cap !== undefined && cap !== null && el("p", "at most ", el("b", amount(cap, "W")), ` by ${(site.held.import_by ?? []).join(", ")}`),
    site.held.setpoint !== undefined && site.held.setpoint !== null && el("p", "shall be ", el("b", amount(site.held.setpoint, "W")), ` by ${site.held.setpoint_by}`),
    short.length > 0 && el("p", `less than they want: ${short.map((asset) => asset.id).join(", ")}`),
    deaf.length > 0 && el("p", `did not take their order: ${deaf.map((asset) => asset.id).join(", ")}`));
  return box;
}
/** @param {string} id @param {any[]} rows @param {(row: any) => any[]} cells */
function list(id, rows, cells) {
  const lines = rows.slice(0, SHOWN).map((row) => el("li", ...cells(row)));
  fill(byId(id), ...(lines.length ? lines : [el("li", el("span", ""), el("span", ""), el("span", "none yet"))]));
}
/** A cell with a time of day. @param {number|null} at */
const time = (at) => el("time", at === null ? "" : clock(at));
/** A link to a session in the viewer, where its address is one. @param {string|null} address @param {string} text */
function viewerOf(address, text) {
  if (!address || !/^https?:\/\//.test(address)) return el("span", text);
  const link = document.createElement("a");
  link.href = address; link.target = "_blank"; link.rel = "noopener"; link.textContent = text;
  return link;
}
async function look() {
  const [now, power, signals, shed, bills, sessions] = await Promise.all([asked("now"), asked(`power?newest=true&limit=${POINTS}`),
    asked("signals?newest=true"), asked("shed?newest=true"), asked("bills"), asked("sessions?newest=true")]);
  fill(byId("title"), `v2g fleet: ${now.tenant}`);
  const count = now.sites.reduce((sum, site) => sum + site.assets.length, 0);
  fill(byId("total"), `${now.sites.length} sites, ${count} assets`);
  document.querySelectorAll("#fleet > .short, #fleet > .calm").forEach((old) => old.remove());
  byId("fleet").append(...now.sites.slice(0, SHOWN).map(siteOf));
  drawPower(power.rows);
  list("signals", signals.rows, (row) => [time(row.start), el("b", row.fate), el("span", `${row.kind}, ${row.source}, until ${clock(row.until)}`)]);
  list("shed", shed.rows, (row) => [time(row.at), el("b", row.asset), el("span", amount(row.given, "W"), " of ", amount(row.wanted, "W"), `: ${row.why}`)]);
  list("money", Object.entries(bills.tiers), ([tier, sum]) => [el("span", ""), el("b", tier), el("span", sum.toFixed(2))]);
  list("sessions", sessions.rows, (row) => [time(row.began), el("b", row.asset), viewerOf(row.viewer, row.ended ? `ended ${clock(row.ended)}` : "runs")]);
  fill(byId("status"), clock(now.at));
  document.documentElement.dataset.ready = "1";
}
async function follow() {
  try { await look(); } catch (error) { fill(byId("status"), `${error}`); }
  setTimeout(() => nextFrame(() => void follow()), EVERY);
}
void follow();
