// @ts-check
// The pane of detail: what is selected, in every form that it has.
import { amount, byId, dated, el, fill, lasting, legible } from "./dom.js";
import { jsonOf, octetRange, rational, stepsOf, treeOf, valueText, xmlOf } from "./message.js";
import { isBad, octetsOf } from "./store.js";

/** @typedef {import("./store.js").Connection} Connection */
/** @typedef {import("./message.js").Branch} Branch */
/** @typedef {{store: import("./store.js").Store, connection: () => Connection|undefined, item: () => any, pair: () => any, tab: () => string, requirement: () => string, open: (tab: string) => void}} DetailHost */

/** The link to a message, mark or connection. @param {Connection} of @param {any} item @param {string} tab @param {string} [requirement] @returns {string} */
export function linkTo(of, item, tab, requirement) {
  const parts = [["c", of.c], item?.t === "frame" ? ["n", item.n] : ["m", item?.m], ["tab", tab], ["req", requirement]];
  return `#${new URLSearchParams(parts.filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]))}`;
}

/** A link to a requirement, and to what cites it. @param {any} id @param {Connection} of @param {any} [item] */
export const cited = (id, of, item) => id && el("a.requirement", { href: linkTo(of, item, "requirement", id) }, id);

/** Why a connection ended, without the requirement that stands beside it. @param {any} verdict @returns {string} */
export const reasonOf = (verdict) => legible(verdict.reason).replace(` [${verdict.requirement}]`, "");

/** A branch of a message with what is below it. @param {Branch} branch @param {(branch: Branch) => boolean} differs @returns {HTMLElement} */
function branchOf(branch, differs) {
  const { value, unit, children, name } = branch, number = rational(branch), time = unit === "s" && value > 1e9 && ` ${dated(value).slice(0, 19)} UTC`;
  const shown = number !== null ? amount(number, unit) : typeof value === "number" && unit && !time ? amount(value, unit) : valueText(value);
  const line = [el("span.name", name.replace(/^[#~]/, "")), shown && el("span.is", shown), time && el("span.soft", time)];
  if (!children.length) return el(differs(branch) ? "li.differs" : "li", line);
  return el("li", el("details", { open: number === null || children.some(differs) }, el("summary", line), el("ul", children.map((child) => branchOf(child, differs)))));
}

/** Names and values; what is empty is left out. @param {[any, any][]} pairs */
function factList(pairs) {
  const told = pairs.filter(([, value]) => (value ?? "") !== "");
  return el("dl.facts", told.map(([name, value]) => el("div", el("dt", name), el("dd", typeof value === "object" && !(value instanceof Node) ? JSON.stringify(value, null, 1) : value))));
}

/** Checks with their outcome. @param {any[]} checks @param {Connection} of @param {any} item */
const checkList = (checks, of, item) => el("ul.checks", checks.map(({ what, well, said, requirement, octets }) =>
  el(well ? "li.well" : "li.bad", el("b", `${well ? "✓" : "✗"} ${what} `), said, " ", cited(requirement, of, item), octets && el("code", octets))));

export class Detail {
  /** @param {DetailHost} host */
  constructor(host) {
    this.host = host;
    this.step = -1;
    this.known = "";
    byId("tabs").addEventListener("click", (event) => host.open(/** @type {HTMLElement} */ (event.target).dataset.tab ?? host.tab()));
    byId("tabs").addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key], all = this.tabs(), here = byId("tabs").querySelector("[aria-selected=true]");
      if (by) host.open(all[(all.indexOf(/** @type {HTMLElement} */ (here)?.dataset.tab ?? "") + by + all.length) % all.length]);
      if (by) /** @type {HTMLElement} */ (byId("tabs").querySelector("[aria-selected=true]")).focus();
    });
  }
  /** Tabs that what is selected has, in their order. @returns {string[]} */
  tabs() {
    const of = this.host.connection(), item = this.host.item(), frame = item?.t === "frame";
    if (this.host.pair() || !of) return this.host.pair() ? ["tree"] : [];
    const made = item ? (frame ? [] : ["facts"]) : ["session"], more = frame && of.signatures.has(item.n) ? ["signature"] : [];
    if (frame && item.s !== undefined) made.push("tree", "xml", "json");
    if (frame && item.exi) made.push("octets", "exi");
    return [...made, ...more, ...(this.requirements().length ? ["requirement"] : []), ...(of.chains.length ? ["certificates"] : [])];
  }
  /** Requirements that what is selected cites. @returns {string[]} */
  requirements() {
    const of = this.host.connection(), item = this.host.item(), verdict = of?.verdict, checks = of?.signatures.get(item?.n) ?? [];
    const ended = !item || (item.t === "frame" && verdict?.n === item.n) ? [verdict?.requirement] : [];
    return [...new Set([this.host.requirement(), item?.requirement, ...(item?.requirements ?? []), ...ended, ...checks.map((c) => c.requirement)].filter(Boolean))];
  }
  /** Draws what is selected, where it or what is known of it changed. */
  draw() {
    const of = this.host.connection(), item = this.host.item(), pair = this.host.pair(), all = this.tabs(), tab = all.includes(this.host.tab()) ? this.host.tab() : (all[0] ?? "");
    const what = JSON.stringify([of?.c, item?.i, pair?.i]), known = JSON.stringify([what, tab, all, this.step, of?.told, this.host.requirement(), item ? 0 : of?.frames.length]);
    if (known === this.known) return;
    if (!this.known.startsWith(JSON.stringify([what]).slice(0, -1))) this.step = -1;
    this.known = known;
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (byId("tabs").querySelectorAll("[data-tab]"))) {
      button.hidden = !all.includes(button.dataset.tab ?? "");
      button.setAttribute("aria-selected", String(button.dataset.tab === tab));
      button.tabIndex = button.dataset.tab === tab ? 0 : -1;
    }
    byId("panel").setAttribute("aria-labelledby", `tab-${tab}`);
    fill(byId("detail-head"), this.head(of, item, pair));
    fill(byId("panel"), tab ? /** @type {any} */ (this)[tab](of, item, pair) : el("p.soft", "Select a connection, then a message."));
  }
  /** @param {Connection|undefined} of @param {any} item @param {any} pair */
  head(of, item, pair) {
    if (pair || !of) return el("h2", pair ? "Both messages" : "Detail");
    if (!item) return [el("h2", of.about.title || `Connection ${of.about.number ?? of.c}`), el("p.soft", `${dated(of.about.began).slice(0, 19)} UTC`)];
    const frame = item.t === "frame", verdict = of.verdict, ended = frame && verdict?.n === item.n && !verdict?.well;
    const said = [`${frame ? `Message ${item.n} from the ${item.from}` : `${item.kind}, ${item.lane}${item.to ? ` to ${item.to}` : ""}`}`, `${item.at.toFixed(3)} s`, `${dated(item.epoch)} UTC`,
      frame && `${item.octets} octets`, frame && (item.set || item.type), item.took !== undefined && `answered in ${lasting(item.took)}${item.limit ? ` of ${lasting(item.limit)}` : ""}`, item.timer, item.state && `state ${item.state}`];
    return [el("h2", item.name || item.type, item.code && el(isBad(item) ? "span.code.bad" : "span.code", item.code)), el("p.soft", said.filter(Boolean).join(" · ")), item.error && el("p.bad", item.error),
      (item.findings ?? []).map((/** @type {string} */ finding) => el("p.warn", finding)), ended && el("p.bad", reasonOf(verdict), " ", cited(verdict?.requirement, of, item))];
  }
  /** @param {Connection} of */
  session(of) {
    const { about, verdict } = of, at = of.frames[verdict?.n ?? -1], facts = [["Side", about.side], ["Outlet", about.outlet], ["Source", about.source], ["Here", about.local], ["Peer", about.peer]];
    return [verdict ? el(verdict.well ? "p.well" : "p.bad", el("b", verdict.ended), verdict.reason && `: ${reasonOf(verdict)}`, " ", cited(verdict.requirement, of, at)) : el("p", "It is running."), verdict?.from && el("p.soft", verdict.from),
      at && el("p", el("a", { href: linkTo(of, at, "tree") }, `message ${at.n}, ${at.name}`)), factList([...of.facts, .../** @type {[any, any][]} */ (facts), ["Messages", of.frames.length], ...Object.entries(about.about ?? {})])];
  }
  /** @param {any} frame @returns {Branch|undefined} */
  rootOf(frame) {
    const shape = this.host.store.shapes.get(frame?.s);
    return shape && treeOf(shape, frame.v);
  }
  /** @param {Connection} of @param {any} item @param {any} pair */
  tree(of, item, pair) {
    const side = (/** @type {any} */ frame, /** @type {string} */ title) => {
      const root = this.rootOf(frame), differs = (/** @type {Branch} */ { path }) => pair?.paths.includes(path) || pair?.paths.includes(`${root?.name}/${path}`);
      return el("div", title && el("h3", title), root ? el("ul.tree", branchOf(root, differs)) : el("p.soft", frame ? frame.error || "not decoded" : "no such message here"));
    };
    return pair ? el("div.two", side(pair.a, `A · ${pair.a?.name ?? "–"}`), side(pair.b, `B · ${pair.b?.name ?? "–"}`)) : side(item, "");
  }
  /** @param {Connection} of @param {any} item */
  facts(of, item) {
    return [el("p", item.text), factList([...Object.entries(item.facts ?? {}), ["Id", item.id], ["Requirement", cited(item.requirement, of, item)]])];
  }
  /** @param {Connection} of @param {any} item */
  xml(of, item) {
    const shape = this.host.store.shapes.get(item.s);
    return shape && el("pre", xmlOf(treeOf(shape, item.v), shape));
  }
  /** @param {Connection} of @param {any} item */
  json(of, item) {
    const root = this.rootOf(item);
    return root && el("pre", jsonOf(root));
  }
  /** @param {Connection} of @param {any} item */
  octets(of, item) {
    const octets = octetsOf(item.exi), steps = stepsOf(item, this.host.store.shapes.get(item.s), octets), step = steps[this.step], [from, to] = step ? octetRange(step) : [-1, -1], wide = byId("panel").clientWidth > 520 ? 16 : 8;
    const cells = (/** @type {number} */ row, /** @type {(octet: number) => string} */ text) => [...octets.subarray(row, row + wide)].map((octet, i) => el(row + i >= from && row + i <= to ? "span.on" : "span", { "data-o": row + i }, text(octet)));
    const pick = (/** @type {Event} */ event) => this.choose(steps.findIndex((s) => s.width > 0 && s.bit + s.width > Number(/** @type {HTMLElement} */ (event.target).dataset.o ?? NaN) * 8));
    const rows = Array.from({ length: Math.ceil(octets.length / wide) }, (_, k) => el("div", el("span.soft", (k * wide).toString(16).padStart(4, "0")), el("span.hex", cells(k * wide, (o) => o.toString(16).padStart(2, "0"))), el("span.ascii", cells(k * wide, (o) => (o > 32 && o < 127 ? String.fromCharCode(o) : "·")))));
    return [el("p.soft", step ? `bit ${step.bit}, ${step.width} bits: ${step.what} ${step.value}` : "Select a step or an octet."), el("div.dump", { onclick: pick }, rows)];
  }
  /** Selects a step of the octets. @param {number} i */
  choose(i) {
    if (i < 0) return;
    this.step = i;
    this.draw();
    const row = /** @type {HTMLElement|null} */ (byId("panel").querySelector(".chosen"));
    for (const one of [byId("panel").querySelector(".on"), row]) one?.scrollIntoView({ block: "nearest" });
    row?.focus({ preventScroll: true });
  }
  /** @param {Connection} of @param {any} item */
  exi(of, item) {
    const steps = stepsOf(item, this.host.store.shapes.get(item.s), octetsOf(item.exi)), most = 4000;
    return [el("div.sticky", this.octets(of, item)), el("table.steps", el("thead", el("tr", ["bit", "width", "bits", "event", "value"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", steps.slice(0, most).map((s, i) => {
      const what = el("td", s.what), key = (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && this.choose(i);
      what.style.paddingLeft = `${0.4 + s.depth * 0.8}em`;
      return el(i === this.step ? "tr.chosen" : "tr", { "data-step": i, tabindex: "0", onclick: () => this.choose(i), onkeydown: key }, el("td", s.bit), el("td", s.width), el("td.bits", { title: s.bits }, s.bits), what, el("td.is", s.value));
    }))), steps.length > most && el("p.soft", `and ${steps.length - most} more, which v2g exi explain shows`)];
  }
  /** @param {Connection} of @param {any} item */
  signature(of, item) {
    return checkList(of.signatures.get(item.n) ?? [], of, item);
  }
  /** @param {Connection} of @param {any} item */
  certificates(of, item) {
    return of.chains.map(({ role, checks, certificates }) => [el("h3", role), checkList(checks ?? [], of, item), (certificates ?? []).map((/** @type {any} */ { subject, ...more }) => el("details", el("summary", subject || "certificate"), factList(Object.entries(more))))]);
  }
  /** What is required, where it came from, and who cites it. */
  requirement() {
    return this.requirements().map((id) => {
      const told = this.host.store.requirements.get(id), places = [];
      for (const one of this.host.store.connections.values()) {
        const name = one.about.title || `connection ${one.about.number ?? one.c}`, { verdict } = one, at = one.frames[verdict?.n ?? -1], link = (/** @type {any} */ item, /** @type {string} */ tab, /** @type {string} */ text) => el("a", { href: linkTo(one, item, tab) }, text);
        if (verdict?.requirement === id) places.push(el("li", link(at, at ? "tree" : "session", at ? `${at.name}, message ${at.n}` : "the end"), ` of ${name}: ${reasonOf(verdict)}`, verdict.from && el("p.soft", `It came from: ${legible(verdict.from)}`),
          verdict.limit && el("p.soft", `Limit: ${typeof verdict.limit === "number" ? lasting(verdict.limit) : legible(verdict.limit)}`)));
        for (const item of one.items) if (item.requirement === id || item.requirements?.includes(id)) places.push(el("li", link(item, item.t === "frame" ? "tree" : "facts", item.text || item.name), ` at ${item.at.toFixed(3)} s of ${name}`));
        for (const { role, checks } of one.chains) for (const check of checks ?? []) if (check.requirement === id) places.push(el("li", link(undefined, "certificates", `${role}: ${legible(check.what)}`), check.well ? ": kept" : ": not kept"));
      }
      return el("article", el("h3", id), el("p", told?.said), told?.where && el("p.soft", `Where we obey it: ${legible(told.where)}`), el("h4", "Where it came up"), el("ul.cited", places.slice(0, 100)));
    });
  }
}
