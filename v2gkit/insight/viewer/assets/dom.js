// @ts-check
// The one place where what was recorded becomes page: as text and as attributes, never as markup.

/** Characters that show nothing, or turn what stands around them: controls, marks of direction, joiners. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** A value as text that says all that is in it: what shows nothing stands as \uXXXX. @param {unknown} value @returns {string} */
export function legible(value) {
  const text = typeof value === "string" ? value : (value ?? "") === "" ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.replace(UNSEEN, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

/** An element, as "li.bad" or "li", with attributes (`on...`: a listener; false, null, undefined: none) and children: elements, or what becomes text.
 * @param {string} kind @param {any} [attributes] may be left out @param {...any} children @returns {HTMLElement} */
export function el(kind, attributes, ...children) {
  const [tag, ...classes] = kind.split("."), made = document.createElement(tag);
  const named = attributes && typeof attributes === "object" && !Array.isArray(attributes) && !(attributes instanceof Node);
  for (const [name, value] of Object.entries(named ? { class: classes.join(" ") || null, ...attributes } : { class: classes.join(" ") || null })) {
    if (value === undefined || value === false || value === null) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (name !== "href" || String(value).startsWith("#")) made.setAttribute(name, value === true ? "" : legible(value));
  }
  put(made, ...(named ? children : [attributes, ...children]));
  return made;
}

/** Appends elements, and everything else as text. @param {Element} parent @param {...any} children */
export function put(parent, ...children) {
  for (const child of children.flat(3)) if ((child ?? false) !== false && child !== "") parent.append(child instanceof Node ? child : legible(child));
}

/** Replaces what is in an element. @param {Element} parent @param {...any} children */
export function fill(parent, ...children) {
  parent.replaceChildren();
  put(parent, ...children);
}

/** The element of the page with this id. @param {string} id @returns {HTMLElement} */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Day and time in UTC. @param {number} epoch @returns {string} */
export function dated(epoch) {
  return Number.isFinite(epoch) && Math.abs(epoch) < 8e12 ? new Date(epoch * 1000).toISOString().slice(0, 23).replace("T", " ") : "?";
}

/** Time of day in UTC, as exact as the span of what is shown asks for. @param {number} epoch @param {number} [span] s @returns {string} */
export function clock(epoch, span = 60) {
  const text = dated(epoch);
  return span > 4 * 86400 ? text.slice(5, 10) : text.slice(11, span > 7200 ? 16 : span > 20 ? 19 : 23) || text;
}

/** Seconds in words: 4 ms, 1.2 s, 2 h 05 min. @param {number} s @returns {string} */
export function lasting(s) {
  if (!Number.isFinite(s)) return "?";
  if (Math.abs(s) < 60) return Math.abs(s) < 0.0995 ? `${+(s * 1000).toPrecision(2)} ms` : `${+s.toPrecision(3)} s`;
  const minutes = Math.round(s / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** A number with its unit: 11.2 kW, 64 %, 0.213 EUR/kWh; a word stays as it is. @param {any} value @param {string} unit @returns {string} */
export function amount(value, unit) {
  if (typeof value !== "number") return legible(value);
  const large = /^(W|Wh|VA|VAr|var|varh)$/.test(unit) ? (Math.abs(value) >= 1e6 ? 1e6 : Math.abs(value) >= 1e3 ? 1e3 : 1) : 1, shown = value / large;
  return `${+shown.toPrecision(Math.abs(shown) >= 1000 ? 12 : 4)} ${large === 1e6 ? "M" : large === 1e3 ? "k" : ""}${unit}`.trim();
}

/** A function that has `work` done once before the next picture, however often it is called. @param {() => void} work @returns {() => void} */
export function nextFrame(work) {
  let asked = false;
  return () => {
    if (!asked) requestAnimationFrame(() => { asked = false; work(); });
    asked = true;
  };
}

/** Lets the page do what waits (input, painting) before the next slice of long work. @returns {Promise<void>} */
export function breath() {
  return new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => { channel.port1.close(); done(); };
    channel.port2.postMessage(0);
  });
}
