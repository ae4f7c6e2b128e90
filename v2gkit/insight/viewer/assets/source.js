// Where view lines come from: packed in this page, or a stream of the server that sent it.
import { breath } from "./dom.js";
import { packedLines } from "./store.js";
import { Unpacker } from "./unpack.js";
/** Reads what is packed in the page, in slices between which it can paint. @param {any} store @param {() => void} changed */
export async function readPacked(store, changed) {
  const packed = document.getElementById("packed"), unpacker = new Unpacker();
  let began = performance.now();
  for await (const line of packedLines(packed?.textContent ?? "")) {
    store.add(unpacker.line(JSON.parse(line)));
    if ((store.lines & 31) || performance.now() - began < 14) continue;
    changed(); await breath(); began = performance.now();
  }
  packed?.remove(); // its text is not needed twice
}
/** Follows a stream while the page is open, and asks a lost server again. @param {string} address @param {any} host takes what comes */
export function followStream(address, host) {
  const placeOfId = (id) => Number(/\d+$/.exec(id)?.[0] ?? NaN);
  let last = "", wait = 1000, anew = false;
  const open = () => {
    const where = new URL(address, location.href);
    for (const [name, value] of new URLSearchParams(location.search)) where.searchParams.set(name, value);
    if (last) where.searchParams.set("last", last); // the browser tells it by itself only where it repeats its own request
    const stream = new EventSource(where); stream.onopen = () => { wait = 1000; host.status("live"); };
    stream.onmessage = (event) => {
      if (anew && placeOfId(event.lastEventId) !== placeOfId(last) + 1) host.reset(); // it began at its beginning
      [anew, last] = [false, event.lastEventId || last]; host.line(JSON.parse(event.data));
    };
    stream.addEventListener("reset", () => { [anew, last] = [false, ""]; host.reset(); });
    stream.addEventListener("over", () => { stream.close(); host.status("over"); });
    stream.onerror = () => {
      host.status("lost, trying again");
      if (stream.readyState !== EventSource.CLOSED) return; // the browser tries by itself
      anew = last !== ""; setTimeout(open, wait); wait = Math.min(wait * 2, 15000);
    };
  };
  open();
}
