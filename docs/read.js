// What cannot be read in this page, a line each: too wide, cut, missing, too small or too pale (WCAG 2.2, AA).
(() => {
  const told = [];
  const root = document.documentElement;
  const where = (e) => `<${e.tagName.toLowerCase()}${e.className && e.className.baseVal === undefined ? "." + e.className.trim().replace(/\s+/g, ".") : ""}> "${e.textContent.trim().slice(0, 40)}"`;
  if (root.scrollWidth > innerWidth) told.push(`${root.scrollWidth} pixels wide in a window of ${innerWidth}`);

  for (const image of document.images) {
    if (image.loading !== "lazy" && !(image.complete && image.naturalWidth)) told.push(`no picture at ${image.src}`);
    const framed = image.closest(".figure-frame") && innerWidth <= 736;
    if (!framed && image.getBoundingClientRect().right > innerWidth) told.push(`${image.src} reaches beyond the window`);
    const scale = image.clientWidth / image.naturalWidth;
    if (image.classList.contains("sphx-glr-single-img") && scale < 0.59) told.push(`${image.src} is shrunk to ${scale.toFixed(2)}`);
  }

  dispatchEvent(new Event("resize"));
  for (const box of document.querySelectorAll("pre, .figure-frame")) {
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(box).overflowX) && box.scrollWidth > box.clientWidth + 1;
    if (scrolls && box.tabIndex < 0) told.push(`scrolled by no key: ${where(box)}`);
  }
  if (document.getElementById("search-results")?.textContent.trim() === "") told.push("a search page without a field");

  const numbers = (colour) => {
    const parts = colour.match(/[\d.]+/g).map(Number);
    const scale = colour.startsWith("color(") ? 255 : 1;
    return [...parts.slice(0, 3).map((c) => c * scale), parts[3] ?? 1];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const luminance = (c) => {
    const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== "none") return null;
      layers.push(numbers(style.backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reduceRight((below, layer) => over(layer, below), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (seen.has(e) || !texts.currentNode.data.trim() || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    seen.add(e);
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (e.closest("svg, script, style, noscript, option") || e.disabled || box.width < 2 || box.height < 2) continue;
    for (let out = e; out && out !== document.body; out = out.parentElement) {
      const cuts = getComputedStyle(out).overflowX;
      if ((cuts === "hidden" || cuts === "clip") && out.clientWidth > 2 && box.right > out.getBoundingClientRect().right + 1 && box.left < innerWidth) {
        told.push(`cut: ${where(e)}`);
        break;
      }
      if (cuts !== "visible") break;
    }
    const below = ground(e);
    if (!below) continue;
    const [low, high] = [luminance(over(numbers(style.color), below)), luminance(below)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed) told.push(`contrast ${ratio.toFixed(2)}: ${where(e)}`);
  }
  return told;
})()
