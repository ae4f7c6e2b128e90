// The one place where what was recorded becomes page: as text and as attributes, never as markup.
/** Characters that show nothing, or turn what stands around them: controls, marks of direction, joiners. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
/** A value as text that says all that is in it: what shows nothing stands as \uXXXX. @param {unknown} value */
export function legible(value) {
  const text = typeof value === "object" && value ? JSON.stringify(value) : String(value ?? "");
  return text.replace(UNSEEN, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}
/** An element, as li.bad, attributes (`on...`: a listener) and children. @param {string} kind @param {...any} children attributes first */
export function el(kind, ...[attributes, ...children]) {
  const [tag, ...classes] = kind.split("."), made = document.createElement(tag);
  const named = attributes && typeof attributes === "object" && !Array.isArray(attributes) && !(attributes instanceof Node);
  for (const [name, value] of Object.entries({ class: classes.join(" ") || null, ...(named ? attributes : {}) })) {
    if ((value ?? false) === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (name !== "href" || String(value).startsWith("#")) made.setAttribute(name, value === true ? "" : legible(value));
  }
  put(made, ...(named ? children : [attributes, ...children])); return made;
}
/** Appends elements, and everything else as text. @param {Element} parent @param {...any} children */
export function put(parent, ...children) {
  parent.append(...children.flat(3).filter((c) => (c ?? false) !== false && c !== "").map((c) => (c instanceof Node ? c : legible(c))));
}
/** Replaces what is in an element. @param {Element} parent @param {...any} children */
export function fill(parent, ...children) { parent.replaceChildren(); put(parent, ...children); }
/** The element of the page with this id. @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** Day and time in UTC. @param {number} epoch */
export const dated = (epoch) => (Math.abs(epoch) < 8e12 ? new Date(epoch * 1000).toISOString().slice(0, 23).replace("T", " ") : "?");
/** Time of day in UTC, as exact as the span of what is shown asks for. @param {number} epoch @param {number} [span] s */
export function clock(epoch, span = 60) {
  const text = dated(epoch); return span > 4 * 86400 ? text.slice(5, 10) : text.slice(11, span > 7200 ? 16 : span > 20 ? 19 : 23) || text;
}
/** Seconds in words: 4 ms, 1.2 s, 2 h 05 min. @param {number} s */
export function lasting(s) {
  if (!Number.isFinite(s)) return "?";
  if (Math.abs(s) < 60) return Math.abs(s) < 0.0995 ? `${+(s * 1000).toPrecision(2)} ms` : `${+s.toPrecision(3)} s`;
  const minutes = Math.round(s / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
/** A number with its unit: 11.2 kW, 64 %, 0.213 EUR/kWh; a word stays as it is. @param {any} value @param {string} unit */
export function amount(value, unit) {
  if (typeof value !== "number") return legible(value);
  const size = /^(W|Wh|VA|VAr)$/.test(unit) ? Math.abs(value) : 0, [large, prefix] = size < 1e3 ? [1, ""] : size < 1e6
    ? [1e3, "k"] : [1e6, "M"];
  return `${+(value / large).toPrecision(Math.abs(value / large) >= 1e3 ? 12 : 4)} ${prefix}${unit}`.trim();
}
/** A function that has `work` done once before the next picture, however often it is called. @param {() => void} work */
export function nextFrame(work) {
  let asked = false; return () => { if (!asked) requestAnimationFrame(() => { asked = false; work(); }); asked = true; };
}
/** Lets the page do what waits (input, painting) before the next slice of long work. */
export const breath = () => new Promise((/** @type {(value?: any) => void} */ done) => {
  const channel = new MessageChannel(); channel.port1.onmessage = () => { channel.port1.close(); done(); }; channel.port2.postMessage(0);
});
