"use strict";
// One state, read from the controls or the address; everything on the page is drawn from it.

const data = JSON.parse(document.getElementById("data").textContent);
const size = data.size;
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const colours = bytes(data.colours);
const byId = id => document.getElementById(id);
const networks = data.runs.filter(run => !run.reference); // references stand behind them
const single = new Set(networks.map(run => run.model)).size === networks.length;
data.runs.forEach(run => {
  run.id = `${run.model}/${run.run}`;
  run.name = single || run.reference ? run.model : `${run.model} (${run.run})`;
});

const state = {
  a: 0, b: Math.min(1, data.runs.length - 1),
  explainer: Math.max(0, data.explainers.findIndex(({ thresholded }) => thresholded)),
  sort: "file", label: "all", image: 0, opacity: 75, overlay: true,
};

// ---- Maps: the same steps, in the same order, as the protocol that the scores were made with.

function resize(values, height, width) {
  const place = (length, old) => Array.from({ length }, (_, i) => {
    const position = (i + 0.5) * old / length - 0.5, low = Math.floor(position);
    return [Math.max(low, 0), Math.min(Math.ceil(position), old - 1), position - low];
  });
  const out = new Float32Array(size * size), columns = place(size, width);
  place(size, height).forEach(([top, bottom, down], y) => columns.forEach(([left, right, along], x) => {
    const row = start => {
      const first = values[start + left];
      return first + along * (values[start + right] - first);
    };
    const above = row(top * width);
    out[y * size + x] = above + down * (row(bottom * width) - above);
  }));
  return out;
}

function range(values) {
  let low = Infinity, top = -Infinity;
  for (const value of values) { low = Math.min(low, value); top = Math.max(top, value); }
  return [low, top];
}

/** Values from 0 to 1; null if all are the same: there is nothing to show. */
function unit(values) {
  const [low, top] = range(values);
  return top > low ? values.map(value => (value - low) / (top - low)) : null;
}

function normalised(values) {
  const [low, top] = range(values), from = data.look.normalisation === "minmax" ? low : 0;
  return top > from ? values.map(value => (value - from) / (top - from)) : values.fill(0);
}

function cut(values) {
  const { threshold, below_threshold: below } = data.look, least = below === "floor" ? threshold : 0;
  return values.map(value => (value < threshold ? least : value));
}

/** Map `i` of packed maps at the size of the image, 0 to 1, or null. */
function look(maps, i, thresholded) {
  const [height, width] = maps.shape, count = height * width;
  maps.bytes = maps.bytes || bytes(maps.levels);
  const floor = maps.floors ? maps.floors[i] : 0;
  if (floor === null) return null;
  const levels = maps.bytes.subarray(i * count, (i + 1) * count);
  const values = Float32Array.from(levels, level => floor + (1 - floor) * level / 255);
  if (!thresholded) return unit(resize(values, height, width));
  if (data.look.resize === "first") return unit(cut(normalised(resize(values, height, width))));
  return unit(resize(cut(values), height, width));
}

// ---- Pictures: decoded when they are needed, at most a handful kept.

const decoded = new Map();
const source = i => `data:image/jpeg;base64,${data.images[i].jpeg}`;

function pixels(i) {
  if (!decoded.has(i)) {
    if (decoded.size > 8) decoded.delete(decoded.keys().next().value);
    decoded.set(i, new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0, size, size);
        resolve(context.getImageData(0, 0, size, size).data);
      };
      image.onerror = () => reject(new Error(`image ${data.images[i].id} cannot be decoded`));
      image.src = source(i);
    }));
  }
  return decoded.get(i);
}

function paint(canvas, image, heat) {
  canvas.width = canvas.height = size;
  const out = new ImageData(size, size), strength = state.opacity / 100;
  for (let i = 0, p = 0; i < size * size; i++, p += 4) {
    const colour = heat ? 3 * Math.min(255, Math.floor(heat[i] * 256)) : 0;
    const opacity = !heat ? 0 : state.overlay ? strength * (1 + 2 * heat[i]) / 3 : 1;
    for (let channel = 0; channel < 3; channel++) {
      out.data[p + channel] = image[p + channel] * (1 - opacity) + colours[colour + channel] * opacity;
    }
    out.data[p + 3] = 255;
  }
  canvas.getContext("2d").putImageData(out, 0, 0);
}

// ---- Scores.

const explainer = () => data.explainers[state.explainer];
/** A number, or why there is none. A reference without a network has one map for all explainers. */
function score(place, i) {
  const { reference, rho } = data.runs[place];
  return (reference ? rho : rho[explainer().id])[i];
}
const known = value => typeof value === "number";
const shown = (value, digits = 3) =>
  (known(value) ? value.toFixed(digits).replace("-", "\u2212") : value.replaceAll("_", " "));

function keyOf(i) {
  const [a, b] = [score(state.a, i), score(state.b, i)];
  switch (state.sort[0]) {
    case "a": return known(a) ? a : null;
    case "b": return known(b) ? b : null;
    case "d": return known(a) && known(b) ? a - b : null;
    default: return -i;
  }
}

/** Places of the images shown, in order; those without the score sorted by come last. */
function order() {
  const sign = state.sort.endsWith("-up") ? 1 : -1;
  const keys = data.images.map((_, i) => keyOf(i));
  return data.images.map((_, i) => i)
    .filter(i => state.label === "all" || String(data.images[i].label) === state.label)
    .sort((i, j) => (keys[i] === null) - (keys[j] === null) || sign * (keys[i] - keys[j]) || i - j);
}

// ---- The page.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function panel(name, description, ...caption) {
  byId(`panel-${name}`).querySelector("canvas").setAttribute("aria-label", description);
  byId(`panel-${name}`).querySelector("figcaption").replaceChildren(...caption);
}

const mark = name => element("span", { class: `mark ${name}` }, name.toUpperCase());

async function drawPanels() {
  const i = state.image, { id, label } = data.images[i], method = explainer();
  panel("image", `image ${id}, ${data.classes[label]}`, "Image");
  panel("human", `human map of image ${id}`, "Human map");
  for (const name of ["a", "b"]) {
    const run = data.runs[state[name]], value = score(state[name], i);
    const words = known(value) ? `\u03c1 = ${shown(value)}` : shown(value);
    panel(name, run.reference ? `${run.name}, ${words}` : `${method.name} map of ${run.name}, ${words}`,
      mark(name), " ", ...breakable(run.name), element("strong", {}, words));
  }
  const [a, b] = [score(state.a, i), score(state.b, i)];
  byId("difference").textContent = known(a) && known(b)
    ? `A \u2212 B = ${a > b ? "+" : ""}${shown(a - b)} with ${method.name}`
    : `A \u2212 B is not defined with ${method.name}`;
  const image = await pixels(i);
  if (i !== state.image) return; // the reader is already elsewhere
  heats.human = look(data.human, i, false);
  for (const name of ["a", "b"]) {
    const { reference, maps } = data.runs[state[name]];
    heats[name] = reference ? look(maps, i, false) : look(maps[method.id], i, method.thresholded);
  }
  for (const name of PANELS) paint(part(name, "canvas"), image, heats[name]);
  drawPoint();
  document.body.dataset.drawn = id;
}

// ---- The place that the reader points at, in all pictures at once.

const PANELS = ["image", "human", "a", "b"];
const part = (name, selector) => byId(`panel-${name}`).querySelector(selector);
const heats = { image: null }; // what each panel shows: `size` x `size` values from 0 to 1, or null
let point = null; // across and down, each from 0 to below 1

/** Share of a map's positions that are lower than one of them, ties counted half. */
function rank(heat, position) {
  let below = 0;
  for (const value of heat) below += value < heat[position] ? 1 : value === heat[position] ? 0.5 : 0;
  return below / heat.length;
}

function drawPoint() {
  const panels = byId("panels");
  panels.classList.toggle("pointed", point !== null);
  for (const name of PANELS) part(name, ".here").textContent = point ? told(name) : "";
  if (!point) return;
  panels.style.setProperty("--x", `${100 * point[0]}%`);
  panels.style.setProperty("--y", `${100 * point[1]}%`);
}

/** What a panel tells of the place. */
function told(name) {
  const [column, row] = point.map(along => Math.floor(along * size)), heat = heats[name];
  if (name === "image") return `column ${column + 1}, row ${row + 1}`;
  return heat ? `above ${Math.floor(100 * rank(heat, row * size + column))} % of the map` : "no map";
}

function pointAt(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const along = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  point = along.every(one => one >= 0 && one < 1) ? along : null;
  drawPoint();
}

function followPointer() {
  for (const name of PANELS) {
    const picture = part(name, ".picture");
    picture.onpointermove = picture.onpointerdown = pointAt;
    picture.onpointerleave = event => {
      if (event.pointerType !== "mouse") return; // a lifted finger leaves its mark
      point = null;
      drawPoint();
    };
  }
}

function drawAll() {
  const rows = data.runs.map((run, place) => {
    const value = score(place, state.image);
    const role = place === state.a ? "a" : place === state.b ? "b" : "";
    const buttons = ["a", "b"].map(name => {
      const button = element("button", {
        type: "button", class: name, "aria-pressed": place === state[name],
        "aria-label": `show ${run.name} as ${name.toUpperCase()}`,
      }, name.toUpperCase());
      button.onclick = () => {
        change({ [name]: place });
        byId("all").children[place].querySelector(`button.${name}`).focus(); // the list is new
      };
      return button;
    });
    const middle = known(value)
      ? [element("span", { class: `scale ${role}`, "aria-hidden": "true" }, bar(value)),
        element("span", { class: "value" }, shown(value))]
      : [element("span", { class: "why" }, shown(value))];
    return element("li", run.reference ? { class: "reference" } : {}, element("span", { class: "name" }, ...breakable(run.name)), ...middle, ...buttons);
  });
  byId("all").replaceChildren(...rows);
}

/** A name that may be broken after each underscore. */
const breakable = name => name.split(/(?<=_)/).flatMap(part => [part, element("wbr")]);

/** A bar from the middle (0) to the left end (-1) or the right one (1). */
function bar(value) {
  const half = Math.abs(value) * 50;
  return element("span", { style: `left: ${value < 0 ? 50 - half : 50}%; width: ${half}%` });
}

const beside = matchMedia("(min-width: 64rem)"); // the list stands beside the image, see the styles
const roomy = matchMedia("(min-width: 40rem)"); // the settings are always open
const loader = new IntersectionObserver(entries => entries.forEach(entry => {
  if (!entry.isIntersecting) return;
  loader.unobserve(entry.target);
  entry.target.src = source(Number(entry.target.dataset.image));
}), { rootMargin: "300px" });

const tiles = data.images.map((image, i) => {
  const picture = element("img", { alt: `image ${image.id}, ${data.classes[image.label]}`, "data-image": i });
  const line = name => element("span", { class: `row ${name}` }, element("b", {}, name.toUpperCase()), element("span"));
  const button = element("button", { type: "button" }, picture, line("a"), line("b"));
  button.onclick = () => {
    change({ image: i });
    if (!beside.matches) byId("detail").scrollIntoView();
  };
  loader.observe(picture);
  return element("li", {}, button);
});

function drawList() {
  const list = order();
  list.forEach(i => {
    const button = tiles[i].firstChild;
    for (const name of ["a", "b"]) {
      const value = score(state[name], i);
      button.querySelector(`.${name} span`).textContent = known(value) ? shown(value, 2) : "\u2013";
    }
    button.setAttribute("aria-current", i === state.image);
  });
  byId("list").replaceChildren(...list.map(i => tiles[i]));
  if (beside.matches) tiles[state.image].scrollIntoView({ block: "nearest" });
  byId("list-title").textContent = `${list.length} images`;
  return list;
}

function drawTitle(list) {
  const { id, label } = data.images[state.image];
  const place = `${list.indexOf(state.image) + 1} of ${list.length}`;
  byId("title").replaceChildren(data.classes[label], element("span", { class: "quiet" }, `${id}, ${place}`));
}

function drawControls() {
  for (const name of ["a", "b", "explainer", "sort", "label", "opacity"]) byId(name).value = state[name];
  byId("overlay").checked = state.overlay;
  byId("opacity").disabled = !state.overlay;
  byId("percent").textContent = `${state.opacity} %`;
  byId("choice").textContent =
    `A ${data.runs[state.a].name}, B ${data.runs[state.b].name}, ${explainer().name}`;
}

/** Change the state, draw it, and note it in the address. */
function change(changes) {
  Object.assign(state, changes);
  let list = order();
  if (!list.includes(state.image)) state.image = list[0];
  list = drawList();
  drawTitle(list);
  drawControls();
  drawAll();
  drawPanels();
  byId("copied").textContent = "";
  history.replaceState(null, "", `#${address()}`);
}

function address() {
  return new URLSearchParams({
    a: data.runs[state.a].id, b: data.runs[state.b].id, explainer: explainer().id, sort: state.sort,
    label: state.label, image: data.images[state.image].id, opacity: state.opacity, overlay: Number(state.overlay),
  });
}

/** The state that an address names; what it does not name, or names wrongly, stays. */
function fromAddress() {
  const named = new URLSearchParams(location.hash.slice(1)), found = {};
  const place = (key, list, of = key) => {
    const at = list.findIndex(item => item.id === named.get(key));
    if (at >= 0) found[of] = at;
  };
  place("a", data.runs);
  place("b", data.runs);
  place("explainer", data.explainers);
  place("image", data.images);
  for (const key of ["sort", "label"]) {
    if ([...byId(key).options].some(option => option.value === named.get(key))) found[key] = named.get(key);
  }
  const opacity = Number(named.get("opacity"));
  if (named.has("opacity") && opacity >= 0 && opacity <= 100) found.opacity = opacity;
  if (named.has("overlay")) found.overlay = named.get("overlay") === "1";
  return found;
}

/** Copy the address, which holds the view. Where the browser forbids that, say so. */
async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    byId("copied").textContent = "Copied.";
  } catch {
    byId("copied").textContent = "The browser forbids it: copy the address of this page by hand.";
  }
}

/** Change the order, and go to its first image. */
function first(changes) {
  Object.assign(state, changes);
  change({ image: order()[0] });
}

function step(by) {
  const list = order(), at = list.indexOf(state.image) + by;
  if (at >= 0 && at < list.length) change({ image: list[at] });
}

const turn = (name, length, by = 1) => change({ [name]: (state[name] + by + length) % length });
const KEYS = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  Home: () => change({ image: order()[0] }),
  End: () => change({ image: order().at(-1) }),
  a: event => turn("a", data.runs.length, event.shiftKey ? -1 : 1),
  b: event => turn("b", data.runs.length, event.shiftKey ? -1 : 1),
  e: () => turn("explainer", data.explainers.length),
  x: () => change({ a: state.b, b: state.a }),
  o: () => change({ overlay: !state.overlay }),
  "?": () => { byId("help").open = !byId("help").open; },
};

function start() {
  const fill = (id, entries) => byId(id).append(...entries.map(([value, text]) => element("option", { value }, text)));
  for (const name of ["a", "b"]) fill(name, data.runs.map((run, i) => [i, run.name]));
  fill("explainer", data.explainers.map(({ name }, i) => [i, name]));
  const counts = data.images.reduce((sum, { label }) => ({ ...sum, [label]: (sum[label] || 0) + 1 }), {});
  fill("label", [["all", `all (${data.images.length})`],
    ...Object.entries(data.classes).map(([label, name]) => [label, `${name} (${counts[label]})`])]);
  for (const name of ["a", "b", "explainer", "opacity"]) {
    byId(name).oninput = event => change({ [name]: Number(event.target.value) });
  }
  for (const name of ["sort", "label"]) byId(name).onchange = event => first({ [name]: event.target.value });
  byId("overlay").onchange = event => change({ overlay: event.target.checked });
  byId("previous").onclick = () => step(-1);
  byId("next").onclick = () => step(1);
  byId("controls").onsubmit = event => event.preventDefault();
  for (const [name, side] of [["side", data.side], ["human-side", data.human_side]]) {
    document.querySelector(`#help .${name}`).textContent = `${side} by ${side}`;
  }
  byId("link").onclick = copyLink;
  byId("link").hidden = location.protocol === "blob:"; // in a report, whose pages have no lasting address
  const fit = () => { byId("settings").open = roomy.matches; };
  roomy.onchange = fit;
  fit();
  followPointer();
  window.onhashchange = follow;
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input[type=range]")) return;
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act) { event.preventDefault(); act(event); }
  });
  follow();
}

/** Show what the address names; an order named without an image begins with its first. */
function follow() {
  const named = fromAddress();
  if ("image" in named) change(named); else first(named);
}

start();
