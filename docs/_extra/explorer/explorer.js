"use strict";
// The page: reads the settings, draws the window, fills in the numbers; and filters a picture.

const at = (id) => document.getElementById(id);
const NUMBERS = ["size", "kernel", "stride", "padding", "dilation", "extra", "channels", "filters", "groups"];
let timer = null;

// ---- sizes ------------------------------------------------------------------------------------------

/** What a field holds as an integer within its bounds; a field that holds something else is marked, with a note. */
function whole(field) {
  const [low, high] = [Number(field.min), Number(field.max)];
  const typed = field.value.trim() === "" ? NaN : Number(field.value);
  const value = Number.isFinite(typed) ? Math.min(Math.max(Math.trunc(typed), low), high) : Number(field.defaultValue);
  const label = field.labels[0].textContent.trim();
  const note = typed === value ? "" : `${label} is an integer from ${low} to ${high}; drawn with ${value}.`;
  mark(field, note);
  return [value, note];
}

function mark(field, note) {
  if (note) { field.setAttribute("aria-invalid", "true"); field.setAttribute("aria-describedby", "corrected"); }
  else { field.removeAttribute("aria-invalid"); field.removeAttribute("aria-describedby"); }
}

/** Text of a live region; the same text again is not said again. */
function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function settings() {
  const s = { transposed: at("transposed").checked };
  const notes = [];
  for (const id of NUMBERS) {
    if (at(id).disabled) { s[id] = 0; mark(at(id), ""); continue; }
    const [value, note] = whole(at(id));
    s[id] = value;
    if (note) notes.push(note);
  }
  say("corrected", notes.join(" "));
  return s;
}

/** When a field is left, what it was drawn with is written into it. */
function settle(event) {
  const field = event.target;
  if (field.getAttribute("aria-invalid") !== "true") return;
  const told = at("corrected").textContent;
  [field.value] = whole(field);
  update();
  say("corrected", told.replace("drawn with", "now"));
}

function formula(s, output) {
  const reach = s.dilation * (s.kernel - 1);
  if (s.transposed) {
    const sum = `(${s.size} − 1)·${s.stride} − 2·${s.padding} + ${s.dilation}·(${s.kernel} − 1) + ${s.extra} + 1`;
    if (output !== null) return `output = ${sum} = ${output}`;
    return s.extra >= Math.max(s.stride, s.dilation)
      ? `Output padding ${s.extra} must be less than the stride or the dilation.`
      : `${sum} leaves nothing: take less padding.`;
  }
  const sum = `⌊(${s.size} + 2·${s.padding} − ${s.dilation}·(${s.kernel} − 1) − 1) / ${s.stride}⌋ + 1`;
  if (output !== null) return `output = ${sum} = ${output}`;
  return `The kernel spans ${reach + 1} pixels and the padded input has ${s.size + 2 * s.padding}: add padding.`;
}

function update() {
  at("extra").disabled = !at("transposed").checked;
  const s = settings();
  const output = s.transposed ? sizes.transposed(s) : sizes.conv(s);
  at("formula").textContent = formula(s, output);
  at("formula").classList.toggle("bad", output === null);
  const cost = output === null ? null : sizes.cost(s, output);
  const shown = (n) => n.toLocaleString("en");
  const divides = s.channels % s.groups === 0 && s.filters % s.groups === 0;
  const [outer, inner] = s.transposed ? [s.channels, s.filters] : [s.filters, s.channels];
  at("weights").textContent = divides
    ? `${outer}×${inner / s.groups}×${s.kernel}×${s.kernel}`
    : `groups ${s.groups} does not divide ${s.channels} and ${s.filters}`;
  at("parameters").textContent = cost ? shown(cost.parameters) : "–";
  at("macs").textContent = cost ? shown(cost.macs) : "–";
  at("same").textContent = "padding " + sizes.same({ ...s, stride: 1 }).join(", ");
  const step = at("step");
  step.max = output === null ? 0 : output * output - 1;
  step.value = Math.min(Number(step.value), Number(step.max));
  draw(s, output, Number(step.value));
}

// ---- the window -------------------------------------------------------------------------------------

function draw(s, output, step) {
  const svg = at("drawing");
  svg.replaceChildren();
  if (output === null) {
    svg.setAttribute("viewBox", "0 0 10 1");
    at("told").textContent = "No window fits.";
    return;
  }
  const spread = s.transposed ? s.stride : 1;
  const hop = s.transposed ? 1 : s.stride;
  const reach = s.dilation * (s.kernel - 1);
  const first = s.transposed ? s.padding - reach : -s.padding;
  const end = (s.size - 1) * spread;
  const last = s.transposed ? Math.max(first + output - 1 + reach, end) : s.size + s.padding - 1;
  const low = Math.min(first, 0);
  const extent = last - low + 1;
  const gap = 1.5;
  const height = Math.max(extent, output);
  svg.setAttribute("viewBox", `-0.3 -0.3 ${extent + output + gap + 0.6} ${height + 0.6}`);
  const add = (name, attributes) => {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) shape.setAttribute(k, v);
    svg.append(shape);
  };
  const box = (x, y, n, fill) => add("rect", { x, y, width: n, height: n, fill });
  // All cells in one shape, and all lines in another: a large map has a million cells.
  const cells = (xs, ys, fill) => add("path", { d: ys.flatMap((y) => xs.map((x) => `M${x} ${y}h1v1h-1z`)).join(""), fill });
  const lines = (x, y, n) => {
    const d = Array.from({ length: n + 1 }, (_, i) => `M${x + i} ${y}v${n}M${x} ${y + i}h${n}`).join("");
    add("path", { d, fill: "none", stroke: "var(--edge)", "stroke-width": 0.03 });
  };
  const row = Math.floor(step / output), column = step % output;
  const taps = (i) => Array.from({ length: s.kernel }, (_, k) => first + i * hop + s.dilation * k);
  const rows = taps(row), columns = taps(column);
  const real = (p) => p >= 0 && p <= end && p % spread === 0;
  const top = (height - extent) / 2;
  box(0, top, extent, "var(--paper)");
  if (spread === 1) box(-low, top - low, s.size, "var(--cell)");
  else {
    const places = Array.from({ length: s.size }, (_, i) => i * spread - low);
    cells(places, places.map((y) => y + top), "var(--cell)");
  }
  cells(columns.map((x) => x - low), rows.map((y) => y - low + top), "var(--tap)");
  lines(0, top, extent);
  const outline = { x: columns[0] - low, y: rows[0] - low + top, width: reach + 1, height: reach + 1 };
  add("rect", { ...outline, fill: "none", stroke: "var(--ink)", "stroke-width": 0.1 });
  const left = extent + gap, high = (height - output) / 2;
  box(left, high, output, "var(--out)");
  box(left + column, high + row, 1, "var(--hit)");
  lines(left, high, output);
  at("step").setAttribute("aria-valuetext", `row ${row}, column ${column}`);
  const words = `Input ${s.size}×${s.size}, output ${output}×${output}. Output pixel (${row}, ${column}) is made of input `;
  const kept = (places) => places.filter(real).map((p) => p / spread);
  const [r, c] = [kept(rows), kept(columns)];
  at("told").textContent = words + (r.length && c.length ? `rows ${r.join(", ")} and columns ${c.join(", ")}.` : nothing(rows, columns, end));
}

/** What a window holds that has no pixel: zeros beside the input, or between its pixels. */
function nothing(rows, columns, end) {
  const beside = [rows, columns].map((places) => places.map((p) => p < 0 || p > end));
  if (beside.some((places) => places.every(Boolean))) return "padding alone.";
  return beside.flat().some(Boolean) ? "padding and holes alone." : "holes alone, the zeros between pixels.";
}

function move(by) {
  const step = at("step");
  const count = Number(step.max) + 1;
  step.value = (Number(step.value) + by + count) % count;
  const s = settings();
  draw(s, s.transposed ? sizes.transposed(s) : sizes.conv(s), Number(step.value));
}

function play() {
  const on = timer === null;
  if (on) timer = setInterval(() => move(1), 400);
  else { clearInterval(timer); timer = null; }
  at("play").setAttribute("aria-pressed", String(on));
  at("told").setAttribute("aria-live", on ? "off" : "polite");  // a film is not read aloud
  at("play").textContent = on ? "Pause" : "Play";
}

at("settings").addEventListener("input", update);
at("settings").addEventListener("change", settle);
at("step").addEventListener("input", () => move(0));
at("back").addEventListener("click", () => move(-1));
at("next").addEventListener("click", () => move(1));
at("play").addEventListener("click", play);

// ---- a kernel on a picture --------------------------------------------------------------------------

const PRESETS = {
  "edges (Laplacian)": { taps: [0, 1, 0, 1, -4, 1, 0, 1, 0], divide: 1, signed: true },
  "Sobel, x": { taps: [-1, 0, 1, -2, 0, 2, -1, 0, 1], divide: 4, signed: true },
  "Sobel, y": { taps: [-1, -2, -1, 0, 0, 0, 1, 2, 1], divide: 4, signed: true },
  emboss: { taps: [-2, -1, 0, -1, 1, 1, 0, 1, 2], divide: 1, signed: false },
  sharpen: { taps: [0, -1, 0, -1, 5, -1, 0, -1, 0], divide: 1, signed: false },
  "Gaussian, 5×5": { taps: [1, 4, 6, 4, 1].flatMap((a) => [1, 4, 6, 4, 1].map((b) => a * b)), divide: 256, signed: false },
  "mean, 5×5": { taps: Array(25).fill(1), divide: 25, signed: false },
  identity: { taps: [0, 0, 0, 0, 1, 0, 0, 0, 0], divide: 1, signed: false },
};

const CUSTOM = "custom";

function grid(taps) {
  const extent = Math.sqrt(taps.length);
  at("extent").value = extent;
  at("taps").style.gridTemplateColumns = `repeat(${extent}, minmax(0, 1fr))`;
  at("taps").replaceChildren(...taps.map((value, i) => {
    const field = document.createElement("input");
    field.type = "number"; field.step = "any"; field.value = value;
    field.setAttribute("aria-label", `Row ${Math.floor(i / extent) + 1}, column ${(i % extent) + 1}`);
    return field;
  }));
}

const brush = (id) => at(id).getContext("2d", { willReadFrequently: true });

/** Correlate `pixels` (RGBA) with square `taps`; the border is reflected without its last pixel, alpha is kept. */
function correlate(pixels, width, height, taps, offset) {
  const extent = Math.sqrt(taps.length), half = (extent - 1) / 2;
  const fold = (i, n) => { const m = Math.abs(i) % (2 * n - 2 || 1); return m < n ? m : 2 * n - 2 - m; };
  const result = new Uint8ClampedArray(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sums = [offset, offset, offset];
      for (let k = 0; k < taps.length; k++) {
        if (!taps[k]) continue;
        const from = 4 * (fold(y + Math.floor(k / extent) - half, height) * width + fold(x + (k % extent) - half, width));
        for (let c = 0; c < 3; c++) sums[c] += taps[k] * pixels[from + c];
      }
      const to = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) result[to + c] = sums[c];
      result[to + 3] = pixels[to + 3];
    }
  }
  return result;
}

/** What a field of any number holds; what is none counts as `otherwise`, and the field is marked. */
function number(field, otherwise) {
  const bad = field.value.trim() === "" || !Number.isFinite(Number(field.value)) || (field.id === "divide" && Number(field.value) === 0);
  if (bad) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
  return bad ? otherwise : Number(field.value);
}

function filter() {
  const { width, height } = at("before");
  const source = brush("before").getImageData(0, 0, width, height);
  const divide = number(at("divide"), 1) || 1;
  const taps = [...at("taps").children].map((field) => number(field, 0) / divide);
  const result = correlate(source.data, width, height, taps, at("signed").checked ? 128 : 0);
  Object.assign(at("after"), { width, height });
  brush("after").putImageData(new ImageData(result, width, height), 0, 0);
  const marked = document.querySelectorAll("#taps [aria-invalid], #divide[aria-invalid]").length;
  const note = marked ? `; ${marked} marked ${marked > 1 ? "fields hold" : "field holds"} no number to use` : "";
  at("caption").textContent = `after; the weights sum to ${Number(taps.reduce((a, b) => a + b, 0).toFixed(4))}${note}`;
}

/** A landscape of plain shapes, to begin with. */
function scene() {
  const { width, height } = at("before"), pen = brush("before");
  const sky = pen.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, "#2b4d7e"); sky.addColorStop(0.6, "#e8b48a"); sky.addColorStop(1, "#f3d9b1");
  pen.fillStyle = sky; pen.fillRect(0, 0, width, height);
  pen.fillStyle = "#fff3d0"; pen.beginPath(); pen.arc(225, 120, 30, 0, 7); pen.fill();
  for (const [base, tall, tone, wave] of [[150, 34, "#6d6a8c", 41], [175, 26, "#45506e", 29], [202, 20, "#25344a", 17]]) {
    pen.fillStyle = tone; pen.beginPath(); pen.moveTo(0, height);
    for (let x = 0; x <= width; x++) pen.lineTo(x, base - tall * Math.sin(x / wave) * Math.cos(x / (wave * 2.3)) - 6 * Math.sin(x / 5));
    pen.lineTo(width, height); pen.fill();
  }
  pen.strokeStyle = "#10202f"; pen.lineWidth = 2;
  for (let x = 12; x < width; x += 26) { pen.beginPath(); pen.moveTo(x, height); pen.lineTo(x + 3, height - 42); pen.stroke(); }
}

async function load() {
  const file = at("file").files[0];
  if (!file) return;
  try {
    const image = await createImageBitmap(file);
    const scale = Math.min(1, 480 / Math.max(image.width, image.height));
    const [width, height] = [image.width, image.height].map((n) => Math.max(1, Math.round(n * scale)));
    Object.assign(at("before"), { width, height });
    brush("before").drawImage(image, 0, 0, width, height);
    at("file").removeAttribute("aria-invalid");
    say("refused", "");
    filter();
  } catch {
    at("file").setAttribute("aria-invalid", "true");
    say("refused", `${file.name} is no picture of pixels that this browser reads (JPEG, PNG, WebP, GIF); the one before stays.`);
  }
}

/** The preset that the kernel is, or "custom". */
function named() {
  const taps = [...at("taps").children].map((field) => Number(field.value));
  const same = (p) => p.taps.length === taps.length && p.taps.every((tap, i) => tap === taps[i]) && Number(at("divide").value) === p.divide;
  at("preset").value = Object.keys(PRESETS).find((name) => same(PRESETS[name]) && PRESETS[name].signed === at("signed").checked) ?? CUSTOM;
}

function edit() {
  named();
  filter();
}

function choose() {
  if (at("preset").value === CUSTOM) return;
  const preset = PRESETS[at("preset").value];
  grid(preset.taps);
  at("divide").value = preset.divide;
  at("signed").checked = preset.signed;
  filter();
}

function resize() {
  const extent = Number(at("extent").value);
  const old = [...at("taps").children].map((field) => Number(field.value) || 0);
  const before = Math.sqrt(old.length), shift = (extent - before) / 2;
  grid(Array.from({ length: extent * extent }, (_, i) => {
    const y = Math.floor(i / extent) - shift, x = (i % extent) - shift;
    return y >= 0 && x >= 0 && y < before && x < before ? old[y * before + x] : 0;
  }));
  edit();
}

at("preset").replaceChildren(...[...Object.keys(PRESETS), CUSTOM].map((name) => new Option(name)));
at("preset").addEventListener("input", choose);
at("extent").addEventListener("input", resize);
for (const id of ["taps", "divide", "signed"]) at(id).addEventListener("input", edit);
at("file").addEventListener("change", load);
scene();
choose();
update();
