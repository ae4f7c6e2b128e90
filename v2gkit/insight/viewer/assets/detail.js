// The pane of detail: what is selected, in every form that it has.
import { amount, byId, dated, el, fill, lasting, legible } from "./dom.js";
import { jsonOf, octetRange, rational, stepsOf, treeOf, valueText, xmlOf } from "./message.js";
import { isBad } from "./store.js";
/** @typedef {import("./store.js").Connection} Connection */
/** The link to a message, mark or connection. @param {Connection} of @param {any} item @param {string} tab @param {string} [req] */
export function linkTo(of, item, tab, req) {
  const parts = Object.entries({ c: of.c, n: item?.t === "frame" ? item.n : undefined, m: item?.m, tab, req });
  return `#${new URLSearchParams(parts.filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]))}`;
}
/** A link to a requirement, and to what cites it. @param {any} id @param {Connection} of @param {any} [item] */
export const cited = (id, of, item) => id && el("a.requirement", { href: linkTo(of, item, "requirement", id) }, id);
/** Name of a connection. @param {Connection} of */
export const titleOf = ({ about, c }) => legible(about.title) || `Connection ${about.number ?? c}`;
/** Why a connection ended, without the requirement that stands beside it. @param {any} verdict */
export const reasonOf = (verdict) => legible(verdict.reason).replace(` [${verdict.requirement}]`, "");
/** A branch of a message with what is below it. @param {import("./message.js").Branch} branch @param {any} differs says which */
function branchOf(branch, differs) {
  const { value, unit, children, name } = branch, number = rational(branch), time = unit === "s" && value > 1e9;
  const said = number !== null || (typeof value === "number" && unit && !time) ? amount(number ?? value, unit) : valueText(value);
  const day = time && el("span.soft", ` ${dated(value).slice(0, 19)}`), item = differs(branch) ? "li.differs" : "li";
  const row = [el("span.name", name.replace(/^[#~]/, "")), " ", el("span.is", said), day], open = number === null || children.some(differs);
  if (!children.length) return el(item, row);
  return el(item, el("details", { open }, el("summary", row), el("ul", children.map((child) => branchOf(child, differs)))));
}
/** Names and values; what is empty is left out. @param {[any, any][]} pairs */
const factList = (pairs) => el("dl.facts", pairs.filter(([, value]) => (value ?? "") !== "").map(([name, value]) =>
  el("div", el("dt", name), el("dd", typeof value === "object" && !(value instanceof Node) ? JSON.stringify(value, null, 1) : value))));
/** Checks with their outcome. @param {any[]} checks @param {Connection} of @param {any} item */
const checkList = (checks, of, item) => el("ul.checks", checks.map(({ what, well, said, requirement: id, octets }) =>
  el(well ? "li.well" : "li.bad", el("b", `${well ? "✓" : "✗"} ${what} `), said, " ", cited(id, of, item), octets && el("code", octets))));
/** The tree of a message, null: it is not decoded. @param {Detail} detail @param {any} frame @returns {any} */
const rootOf = ({ app }, frame) => { const shape = app.store.shapes.get(frame?.s); return shape ? treeOf(shape, frame.v) : null; };
/** @type {Record<string, (detail: Detail, of: Connection, item: any, pair: any) => any>} what each tab shows */
const VIEWS = {
  session: (_, of) => {
    const { side, outlet, source, local, peer, about } = of.about, { ended, well, reason, requirement: id, from, n } = of.verdict ?? {},
      at = of.frames[n];
    const told = of.verdict ? [el("b", ended), reason && `: ${reasonOf(of.verdict)}`, " ", cited(id, of, at)] : "It is running.";
    const more = { Side: side, Outlet: outlet, Source: source, Here: local, Peer: peer, ...about };
    const link = at && el("p", el("a", { href: linkTo(of, at, "tree") }, `message ${at.n}, ${at.name}`));
    const how = of.verdict && (well ? "well" : "bad"), all = factList([...of.facts, ...Object.entries(more)]);
    return [el("p", { class: how }, told), el("p.soft", from), link, all];
  },
  tree: (detail, _, item, pair) => {
    const side = (frame, title) => {
      const root = rootOf(detail, frame), differs = ({ path }) => pair?.paths.includes(path)
        || pair?.paths.includes(`${root.name}/${path}`);
      const none = frame ? frame.error || "not decoded" : "no such message here";
      return el("div", title && el("h3", title), root ? el("ul.tree", branchOf(root, differs)) : el("p.soft", none));
    };
    return pair ? el("div.two", side(pair.a, "A"), side(pair.b, "B")) : side(item, "");
  },
  facts: (_, of, item) => [el("p", item.text, " ", cited(item.requirement, of, item)),
    factList(Object.entries({ ...item.facts, Id: item.id }))],
  xml: (detail, _, item) => el("pre", xmlOf(rootOf(detail, item), detail.app.store.shapes.get(item.s))),
  json: (detail, _, item) => el("pre", jsonOf(rootOf(detail, item))),
  octets: (detail, _, item) => {
    const { store } = detail.app, octets = store.octetsOf(item), steps = stepsOf(item, store.shapes.get(item.s), octets);
    const step = steps[detail.step], [from, to] = step ? octetRange(step) : [-1, -1], wide = byId("panel").clientWidth > 520 ? 16 : 8;
    const cells = (row, text) => [...octets.subarray(row, row + wide)].map((octet, i) =>
      el(row + i >= from && row + i <= to ? "span.on" : "span", { "data-o": row + i }, text(octet)));
    const pick = ({ target: { dataset } }) => detail.choose(steps.findIndex((s) => s.width && s.bit + s.width > (dataset.o ?? NaN) * 8));
    const hex = (n, digits) => n.toString(16).padStart(digits, "0"), letter = (o) => (o > 32 && o < 127 ? String.fromCharCode(o) : "·");
    const rows = Array.from({ length: Math.ceil(octets.length / wide) }, (_, k) => k * wide).map((row) =>
      el("div", el("span.soft", hex(row, 4)), el("span.hex", cells(row, (o) => hex(o, 2))), el("span.ascii", cells(row, letter))));
    const said = step ? `bit ${step.bit}, ${step.width} wide, ${step.bits}: ${step.what} ${step.value}` : "Select a step or an octet.";
    return [el("p.soft", said), el("div.dump", { onclick: pick }, rows)];
  },
  exi: (detail, of, item) => {
    const { store } = detail.app, steps = stepsOf(item, store.shapes.get(item.s), store.octetsOf(item)), most = 4000;
    const rows = steps.slice(0, most).map(({ bit, width, bits, depth, what, value }, i) => {
      const name = el("td", what), choose = (event) => (event.type === "click" || event.key === "Enter") && detail.choose(i);
      name.style.paddingLeft = `${0.4 + depth * 0.5}em`;
      return el(i === detail.step ? "tr.chosen" : "tr", { "data-step": i, tabindex: "0", onclick: choose, onkeydown: choose },
        el("td", bit), el("td", width), el("td.bits", { title: bits }, bits), name, el("td.is", value));
    });
    const head = el("tr", ["bit", "width", "bits", "event", "value"].map((name) => el("th", { scope: "col" }, name)));
    return [el("div.sticky", VIEWS.octets(detail, of, item, null)), el("table.steps", el("thead", head), el("tbody", rows)),
      steps.length > most && el("p.soft", `and ${steps.length - most} more, which v2g exi explain shows`)];
  },
  signature: (_, of, item) => checkList(of.signatures.get(item.n) ?? [], of, item),
  certificates: (_, of, item) => of.chains.map(({ role, checks, certificates }) => [el("h3", role), checkList(checks ?? [], of, item),
    (certificates ?? []).map(({ subject, ...more }) => el("details", el("summary", subject || "–"), factList(Object.entries(more))))]),
  requirement: (detail) => detail.requirements().map((id) => {
    const told = detail.app.store.requirements.get(id), places = /** @type {any[]} */ ([]);
    for (const one of detail.app.store.connections.values()) {
      const { verdict, chains, items } = one, at = one.frames[verdict?.n ?? -1], limit = verdict?.limit, name = titleOf(one);
      const cite = (item, tab, link, ...more) => places.push(el("li", el("a", { href: linkTo(one, item, tab) }, link), ...more));
      if (verdict?.requirement === id) cite(at, at ? "tree" : "session", at ? `${at.name}, message ${at.n}` : "the end", ` of ${name}: `,
        reasonOf(verdict), verdict.from && el("p.soft", "It came from: ", verdict.from),
        limit && el("p.soft", "Limit: ", typeof limit === "number" ? lasting(limit) : limit));
      for (const item of items.filter(({ requirement, requirements }) => requirement === id || requirements?.includes(id)))
        cite(item, item.t === "frame" ? "tree" : "facts", item.text || item.name, ` at ${item.at.toFixed(3)} s of ${name}`);
      for (const { role, checks } of chains) for (const { well, what } of (checks ?? []).filter(({ requirement }) => requirement === id))
        cite(undefined, "certificates", `${role}: ${what}`, well ? ": kept" : ": not kept");
    }
    const where = told?.where && el("p.soft", "Where we obey it: ", told.where);
    return el("article", el("h3", id), el("p", told?.said), where, el("h4", "Where it came up"), el("ul.cited", places.slice(0, 100)));
  }),
};
export class Detail {
  step = -1; what = ""; known = "";
  /** @param {import("./store.js").App} app */ constructor(app) {
    this.app = app;
    const chosen = () => /** @type {HTMLElement} */ (byId("tabs").querySelector("[aria-selected=true]"));
    byId("tabs").addEventListener("click", (event) => app.open(/** @type {HTMLElement} */ (event.target).dataset.tab ?? app.tab));
    byId("tabs").addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key], all = this.tabs();
      if (!by) return;
      app.open(all[(all.indexOf(chosen().dataset.tab ?? "") + by + all.length) % all.length]); chosen().focus();
    });
  }
  /** Tabs that what is selected has, in their order. */ tabs() {
    const of = this.app.of(), item = this.app.item(), frame = item?.t === "frame", made = item ? (frame ? [] : ["facts"]) : ["session"];
    if (this.app.row() || !of) return this.app.row() ? ["tree"] : [];
    if (frame && item.s !== undefined) made.push("tree", "xml", "json");
    if (frame && (item.exi || item.s !== undefined)) made.push("octets", "exi");
    if (frame && of.signatures.has(item.n)) made.push("signature");
    return [...made, ...(this.requirements().length ? ["requirement"] : []), ...(of.chains.length ? ["certificates"] : [])];
  }
  /** Requirements that what is selected cites. */ requirements() {
    const of = this.app.of(), item = this.app.item(), verdict = of?.verdict, frame = item?.t === "frame";
    const ended = !item || (frame && verdict?.n === item.n) ? [verdict?.requirement] : [];
    const checks = (of?.signatures.get(item?.n) ?? []).map(({ requirement }) => requirement);
    return [...new Set([this.app.req, item?.requirement, ...(item?.requirements ?? []), ...ended, ...checks].filter(Boolean))];
  }
  /** Draws what is selected, where it or what is known of it changed. */ draw() {
    const { app } = this, of = app.of(), item = app.item(), pair = app.row(), all = this.tabs();
    const tab = all.find((t) => t === app.tab) ?? all[0], what = `${of?.c} ${item?.t} ${item?.n ?? item?.m} ${pair?.i}`;
    if (what !== this.what) [this.what, this.step] = [what, -1];
    const known = JSON.stringify([what, tab, all, this.step, of?.told, app.req, item ? 0 : of?.frames.length]);
    if (known === this.known) return;
    this.known = known;
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (byId("tabs").querySelectorAll("[data-tab]"))) {
      [button.hidden, button.tabIndex] = [!all.includes(button.dataset.tab ?? ""), button.dataset.tab === tab ? 0 : -1];
      button.setAttribute("aria-selected", String(button.dataset.tab === tab));
    }
    byId("panel").setAttribute("aria-labelledby", `tab-${tab}`); fill(byId("detail-head"), this.head(of, item, pair));
    fill(byId("panel"), tab && of ? VIEWS[tab](this, of, item, pair) : el("p.soft", "Select a connection, then a message."));
  }
  /** What stands above the tabs. @param {Connection|undefined} of @param {any} item @param {any} pair */ head(of, item, pair) {
    if (pair || !of) return el("h2", pair ? "Both messages" : "Detail");
    if (!item) return [el("h2", titleOf(of)), el("p.soft", `${dated(of.about.began).slice(0, 19)} UTC`)];
    const { t, at, epoch, n, from, kind, lane, to, octets, name, set, type, took, limit, timer, state, code, error, findings = [] } = item;
    const { verdict } = of, what = t === "frame" ? [`Message ${n} from the ${from}`, `${octets} octets`, set || type] : [kind, lane,
      to && `to ${to}`];
    const span = `${item.to === undefined ? "asked after" : "answered in"} ${lasting(took)}${limit ? ` of ${lasting(limit)}` : ""}`;
    const told = [...what, `${at.toFixed(3)} s`, `${dated(epoch)} UTC`, took !== undefined && span, timer, state && `state ${state}`];
    const why = t === "frame" && verdict?.n === n && !verdict.well && [reasonOf(verdict), " ", cited(verdict.requirement, of, item)];
    return [el("h2", name || type, code && el(isBad(item) ? "span.code.bad" : "span.code", code)), el("p.soft",
      told.filter(Boolean).join(" · ")), error && el("p.bad", error), findings.map((one) => el("p.warn", one)), why && el("p.bad", why)];
  }
  /** Selects a step of the octets. @param {number} i */ choose(i) {
    if (i < 0) return;
    this.step = i; this.draw();
    for (const one of byId("panel").querySelectorAll(".on, .chosen")) one.scrollIntoView({ block: "nearest" });
    /** @type {HTMLElement|null} */ (byId("panel").querySelector(".chosen"))?.focus({ preventScroll: true });
  }
}
