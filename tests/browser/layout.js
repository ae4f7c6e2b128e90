// What is wrong with the layout of a page, as the browser rendered it. Evaluated in the page; gives the faults in words.
([contrast, large, least]) => {
  const root = document.documentElement, wide = root.clientWidth, high = innerHeight, faults = new Set();
  const styles = new Map();
  const of = (el) => styles.get(el) ?? (styles.set(el, getComputedStyle(el)), styles.get(el));
  const parents = (el) => { const all = []; for (let p = el; p; p = p.parentElement) all.push(p); return all; };
  const short = (text) => JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 60));
  const named = (el) => el.tagName.toLowerCase() + (el.id ? `#${el.id}` : "") + [...el.classList].map((c) => `.${c}`).join("");

  // --- colours ---
  const colour = (text) => {
    const c = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    if (text.startsWith("color(")) return [...c.slice(0, 3).map((part) => part * 255), c[3] ?? 1];
    return [c[0], c[1], c[2], c[3] ?? 1];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3]));
  const light = (c) => {
    const [r, g, b] = c.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches && of(root).colorScheme.includes("dark");
  const canvas = dark ? [18, 18, 18, 1] : [255, 255, 255, 1]; // of the browser, behind a page that says none
  const behind = (el) => parents(el).reverse().reduce((under, p) => [...over(colour(of(p).backgroundColor), under), 1], canvas);

  // --- boxes ---
  const clipped = (el, box) => { // the part of a box that its scrolling and hiding ancestors let through
    let [l, t, r, b] = [box.left, box.top, box.right, box.bottom];
    for (const p of parents(el)) {
      const { overflowX, overflowY, position } = of(p), o = p.getBoundingClientRect();
      if (overflowX !== "visible") [l, r] = [Math.max(l, o.left), Math.min(r, o.right)];
      if (overflowY !== "visible") [t, b] = [Math.max(t, o.top), Math.min(b, o.bottom)];
      if (position === "fixed") break;
    }
    return { left: l, top: t, right: r, bottom: b };
  };
  const scrolls = (el) => parents(el).some((p) => p !== root && p !== document.body && ["auto", "scroll"].includes(of(p).overflowX));
  const aside = (p) => of(p).clipPath !== "none" || of(p).opacity === "0" || (of(p).position === "absolute" && p.offsetWidth <= 1);
  const shown = (el) => el.checkVisibility({ visibilityProperty: true }) && !parents(el).some(aside); // aside: for screen readers alone
  const silent = ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION", "TITLE"];

  if (root.scrollWidth > wide) faults.add(`the page is ${root.scrollWidth} px wide in a window of ${wide}`);
  const lines = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const el = node.parentElement, text = node.textContent ?? "";
    if (!text.trim() || silent.includes(el.tagName) || !shown(el)) continue;
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const seen = clipped(el, box);
      if (box.width < 1 || box.height < 1 || seen.right - seen.left < 2 || seen.bottom - seen.top < 2) continue;
      if (seen.bottom < 0 || seen.top > high) continue;
      if ((seen.right > wide + 1 || seen.left < -1) && !scrolls(el)) {
        faults.add(`beyond the window: ${named(el)} ${short(text)} from ${seen.left.toFixed()} to ${seen.right.toFixed()} of ${wide}`);
      }
      const x = (seen.left + seen.right) / 2, y = (seen.top + seen.bottom) / 2, stack = document.elementsFromPoint(x, y);
      const place = stack.findIndex((one) => one === el || el.contains(one) || one.contains(el));
      const covered = stack.slice(0, Math.max(place, 0)).some((one) => colour(of(one).backgroundColor)[3] > 0.5);
      if (!covered && y > 0 && y < high) lines.push({ el, text, box: seen, height: box.height });
    }
    for (const word of text.matchAll(/[^\s\u00ad\u200b/-]{3,}/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const boxes = [...range.getClientRects()].filter((box) => box.width > 0.5), rows = new Set(boxes.map((box) => Math.round(box.top)));
      if (rows.size > 1 && word[0].length / rows.size < least) faults.add(`in pieces: ${named(el)} ${short(word[0])} on ${rows.size} lines`);
    }
  }
  for (const el of document.body.querySelectorAll("*")) {
    const { overflowX, overflowY, textOverflow } = of(el), box = el.getBoundingClientRect(), hides = ["hidden", "clip"];
    if (el.tagName === "CANVAS" || !el.textContent.trim() || !shown(el) || box.bottom < 0 || box.top > high) continue;
    if (textOverflow === "ellipsis" && el.title) continue; // what is cut can be read as its title
    const told = `${named(el)} ${short(el.textContent)}`;
    if (hides.includes(overflowX) && el.clientWidth && el.scrollWidth > el.clientWidth + 1) {
      faults.add(`cut at its side: ${told} is ${el.scrollWidth} px wide in ${el.clientWidth}`);
    }
    if (hides.includes(overflowY) && el.clientHeight && el.scrollHeight > el.clientHeight + 2) {
      faults.add(`cut below: ${told} is ${el.scrollHeight} px high in ${el.clientHeight}`);
    }
  }
  for (const [i, one] of lines.entries()) {
    const back = behind(one.el), ink = colour(of(one.el).color), size = parseFloat(of(one.el).fontSize);
    const solid = parents(one.el).reduce((all, p) => all * Number(of(p).opacity), ink[3]);
    const found = ratio(over([...ink.slice(0, 3), solid], back), back.slice(0, 3));
    const enough = size >= 24 || (size >= 18.66 && Number(of(one.el).fontWeight) >= 700) ? large : contrast;
    if (found < enough - 0.01 && !one.el.closest("[disabled],[aria-disabled=true]")) {
      faults.add(`too faint: ${named(one.el)} ${short(one.text)} has ${found.toFixed(2)} of ${enough}`);
    }
    for (const other of lines.slice(i + 1)) {
      if (other.el === one.el) continue;
      const width = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const height = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      const trim = 0.2 * Math.min(one.height, other.height); // lines of text stand closer than their boxes
      if (width > 2 && height - trim > 2) {
        faults.add(`over each other: ${named(one.el)} ${short(one.text)} and ${named(other.el)} ${short(other.text)}`);
      }
    }
  }
  return { faults: [...faults].slice(0, 40), lines: lines.length };
}
