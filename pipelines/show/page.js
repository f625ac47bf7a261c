"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const [SEED, VALUE, EPOCH] = [0, 1, 2];
const axes = data.axes;
const varied = axes.map((axis, place) => place).filter((place) => axes[place].values.length > 1);
const chosen = {
  columns: axes[VALUE].values.length > 1 ? VALUE : varied.includes(EPOCH) ? EPOCH : varied[0] ?? EPOCH,
  at: [0, 0, 0],
  label: "",
  acted: new Set(),
};
let current = null; // the cell that Tab leads to: {example, at}
let viewed = null; // the one that was opened last

/** An element with properties, and what is inside of it; text is never read as HTML. */
function made(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

const said = (place, at) => `${axes[place].name} ${axes[place].values[at[place]]}`;
const tileOf = ({ example, at }) =>
  data.examples[example].tiles[at[SEED] * axes[VALUE].values.length + at[VALUE]][at[EPOCH]];
const same = (one, other) =>
  one && other && one.example === other.example && one.at.every((value, place) => value === other.at[place]);

/** The transforms that drew something to be seen. */
const changing = (tile) => tile.acted.filter((name) => data.drawing.includes(name));

/** Whether a transform, and what it chose among, left the picture as it was. */
const idle = (tile, name) => !tile.acted.some((other) => other === name || other.startsWith(`${name}/`));

/** The places that stand side by side in the row of an example. */
function places() {
  if (chosen.columns === null) return [chosen.at];
  return axes[chosen.columns].values.map((_, value) => chosen.at.with(chosen.columns, value));
}

/** The cells of an example, if it is of the class that was chosen. */
function cellsOfClass(example) {
  if (chosen.label && data.examples[example].label !== chosen.label) return [];
  return places().map((at) => ({ example, at }));
}

/** Those that all filters leave. */
const cellsOf = (example) =>
  cellsOfClass(example).filter((cell) => [...chosen.acted].every((name) => tileOf(cell).acted.includes(name)));

function image(picture) {
  const [width, height] = picture.shown;
  return made("img", { src: picture.src, alt: picture.alt, width, height, className: width < 100 ? "small" : "" });
}

function button(cell) {
  const tile = tileOf(cell);
  const lines = changing(tile).map((name) => made("span", {}, tile.draws[name]));
  const caption = made("span", { className: "caption" }, made("b", {}, title(cell.at)), ...lines);
  caption.ariaHidden = "true"; // the picture's alt text says it
  const shown = made("button", { className: "tile", type: "button", tabIndex: -1 }, image(tile), caption);
  shown.cell = cell;
  shown.onclick = () => open(cell);
  shown.onfocus = () => reach(shown);
  return shown;
}

/** What a cell differs in from those beside it. */
function title(at) {
  const places = chosen.columns === null ? varied : [chosen.columns];
  return places.map((place) => said(place, at)).join(", ") || said(EPOCH, at);
}

function row(example, cells) {
  const one = data.examples[example];
  const about = made("div", { className: "about" }, made("h2", {}, one.title), made("span", { className: "quiet" },
    `id ${one.id}${one.label ? `, class ${one.label}` : ""}`));
  const original = made("div", { className: "as-it-is" }, image(one.original));
  const caption = made("span", { className: "caption" }, made("b", {}, "as it is"));
  caption.ariaHidden = "true";
  original.append(caption);
  original.role = "gridcell";
  about.role = "rowheader";
  const tiles = made("div", { className: "tiles" }, original);
  tiles.role = "presentation";
  for (const cell of cells) {
    const place = made("div", {}, button(cell));
    place.role = "gridcell";
    tiles.append(place);
  }
  const shown = made("div", { className: "row" }, about, tiles);
  shown.role = "row";
  return shown;
}

const buttons = () => [...document.querySelectorAll("#grid .tile")];
const buttonOf = (cell) => buttons().find((shown) => same(shown.cell, cell));

/** Tab leads to this picture of all. */
function reach(shown) {
  for (const other of buttons()) other.tabIndex = other === shown ? 0 : -1;
  current = shown?.cell ?? current;
}

function render() {
  const rows = data.examples.map((_, example) => [example, cellsOf(example)]).filter(([, cells]) => cells.length);
  const grid = byId("grid");
  grid.replaceChildren(...rows.map(([example, cells]) => row(example, cells)));
  grid.hidden = !rows.length;
  grid.className = chosen.columns === null ? "dense" : "";
  reach(buttonOf(current) ?? buttons()[0]);
  const count = rows.reduce((sum, [, cells]) => sum + cells.length, 0);
  byId("count").textContent = `${count} of ${data.examples.length * places().length} pictures.`;
  const unfiltered = data.examples.flatMap((_, example) => cellsOfClass(example));
  for (const box of document.querySelectorAll("#acted input")) {
    const changed = unfiltered.filter((cell) => tileOf(cell).acted.includes(box.value)).length;
    box.nextSibling.textContent = ` ${box.value} (${changed})`;
  }
  for (const slider of document.querySelectorAll("input[type=range]")) {
    const place = Number(slider.dataset.place);
    slider.parentElement.hidden = place === chosen.columns;
    slider.ariaValueText = said(place, chosen.at);
    slider.previousElementSibling.textContent = said(place, chosen.at);
  }
}

/** The picture that an arrow key leads to: the next one, or the nearest one above or below. */
function neighbour(from, key) {
  const all = buttons(), place = all.indexOf(from);
  if (key === "ArrowRight") return all[place + 1];
  if (key === "ArrowLeft") return all[place - 1];
  const ofRow = [...from.closest(".row").querySelectorAll(".tile")];
  if (key === "Home") return ofRow[0];
  if (key === "End") return ofRow.at(-1);
  const here = from.getBoundingClientRect(), down = key === "ArrowDown" ? 1 : -1;
  const far = (shown) => {
    const there = shown.getBoundingClientRect();
    return [(there.top - here.top) * down, Math.abs(there.left - here.left)];
  };
  const beyond = all.map((shown) => [shown, ...far(shown)]).filter(([, along]) => along > 1);
  return beyond.sort((one, other) => one[1] - other[1] || one[2] - other[2])[0]?.[0];
}

byId("grid").onkeydown = (event) => {
  if (!["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
  const from = event.target.closest(".tile");
  if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  neighbour(from, event.key)?.focus();
};

function drawn(tag, attributes, ...inside) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

/** The original with the window on it: its outline, its upper and left edge, and how it is turned. */
function withWindow(one, tile) {
  const [width, height] = one.original.size;
  const corners = tile.corners.map(([x, y]) => [x * width, y * height]);
  const side = Math.max(width, height);
  const ends = (along, size) => {
    const reached = corners.map((corner) => corner[along]);
    return [Math.max(Math.min(0, ...reached), -side), Math.min(Math.max(size, ...reached), size + side)];
  };
  const [[left, right], [top, bottom]] = [ends(0, width), ends(1, height)], margin = side / 50;
  const box = [left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin];
  const path = (points, closed) => `M${points.map((point) => point.join(" ")).join("L")}${closed ? "Z" : ""}`;
  const lines = [
    [path(corners, true), "--window", 2],
    [path([corners[0], corners[1]]), "--x-axis", 4],
    [path([corners[0], corners[3]]), "--y-axis", 4],
  ];
  const { angle, base, across } = lying(one, tile), radius = across / 4, [x, y] = corners[0];
  if (Math.abs(angle) > 0.01) { // from the direction of the original's rows to that of the result's
    const at = (turn, far) => [x + far * Math.cos(base + turn), y + far * Math.sin(base + turn)];
    const arc = Array.from({ length: 17 }, (_, step) => at((angle * step) / 16, radius));
    lines.push([path([at(0, 1.4 * radius), [x, y]]), "--x-axis", 1], [path(arc), "--x-axis", 2]);
  }
  const svg = drawn("svg", { viewBox: box.join(" "), role: "img",
    "aria-label": `${one.title} as it is, with the window on it. ${turned(tile, one)}` },
    drawn("image", { href: one.original.src, width, height, preserveAspectRatio: "none" }));
  for (const [d, color, thick] of lines) {
    svg.append(drawn("path", { d, class: "halo", "stroke-width": thick + 2 }),
      drawn("path", { d, style: `stroke: var(${color})`, "stroke-width": thick, class: color.slice(2) }));
  }
  svg.append(drawn("circle", { cx: x, cy: y, r: side / 60, style: "fill: var(--window)" }));
  return svg;
}

/** How the window lies in the original: the lengths of its edges, whether it is mirrored, how far it is turned. */
function lying(one, tile) {
  const [width, height] = one.original.size;
  const [a, b, , d] = tile.corners.map(([x, y]) => [x * width, y * height]);
  const across = [b[0] - a[0], b[1] - a[1]], down = [d[0] - a[0], d[1] - a[1]];
  const mirrored = across[0] * down[1] - across[1] * down[0] < 0;
  const base = mirrored && across[0] < 0 ? Math.PI : 0; // mirrored left to right, its upper edge runs back
  const angle = Math.atan2(across[1], across[0]) - base;
  return { across: Math.hypot(...across), down: Math.hypot(...down), mirrored, base,
    angle: angle < -Math.PI ? angle + 2 * Math.PI : angle };
}

function turned(tile, one) {
  const { across, down, mirrored, angle } = lying(one, tile), degrees = Math.abs((angle * 180) / Math.PI).toFixed(1);
  const by = degrees === "0.0" ? "" : `, turned ${degrees}° ${angle > 0 ? "clockwise" : "counter-clockwise"}`;
  const size = [across, down].map(Math.round).join(" × ");
  return `The window is ${size} pixels of ${pixels(one.original.size)}${by}${mirrored ? ", mirrored" : ""}.`;
}

const pixels = ([width, height]) => `${width} × ${height}`;

function open(cell) {
  const one = data.examples[cell.example], tile = tileOf(cell), dialog = byId("dialog");
  viewed = cell;
  byId("opened").textContent = [one.title, ...new Set([...varied, EPOCH])].map((part) =>
    typeof part === "number" ? said(part, cell.at) : part).join(", ");
  byId("source").replaceChildren(withWindow(one, tile));
  byId("turned").textContent = turned(tile, one);
  const result = byId("result");
  Object.assign(result, { src: tile.src, alt: tile.alt, width: tile.shown[0], height: tile.shown[1],
    className: tile.shown[0] < 100 ? "small" : "" });
  const smaller = tile.shown[0] < tile.size[0] ? `, here ${pixels(tile.shown)}` : "";
  byId("sizes").textContent = `what comes out: ${pixels(tile.size)} pixels${smaller}`;
  byId("draws").replaceChildren(...data.names.filter((name) => name in tile.draws).flatMap((name) => [
    made("dt", {}, name),
    made("dd", {}, tile.draws[name] + (idle(tile, name) ? " (changed nothing)" : "")),
  ]));
  byId("where").textContent = tile.command
    ? "Replayed, from the folder in which this page was made, by" : "A command that replays it:";
  byId("command").textContent = tile.command ?? one.refusal;
  byId("copy").hidden = !tile.command;
  byId("copied").textContent = "";
  const all = buttons(), place = all.findIndex((shown) => same(shown.cell, cell));
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place === all.length - 1;
  if (!dialog.open) dialog.showModal();
}

function step(by) {
  const all = buttons(), next = all[all.findIndex((shown) => same(shown.cell, viewed)) + by];
  if (next) open(next.cell);
}

const dialog = byId("dialog");
dialog.onkeydown = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
};
dialog.onclose = () => buttonOf(viewed)?.focus();
dialog.onclick = (event) => event.target === dialog && dialog.close(); // beside it
byId("close").onclick = () => dialog.close();
byId("previous").onclick = () => step(-1);
byId("next").onclick = () => step(1);
byId("copy").onclick = async () => {
  try {
    await navigator.clipboard.writeText(byId("command").textContent);
    byId("copied").textContent = "copied";
  } catch {
    getSelection().selectAllChildren(byId("command"));
    byId("copied").textContent = "selected: copy it by the browser's own command";
  }
};

function options(select, pairs, changed) {
  select.append(...pairs.map(([value, text]) => made("option", { value }, text)));
  select.parentElement.hidden = pairs.length < 2;
  select.onchange = () => { changed(select.value); render(); };
}

document.documentElement.style.setProperty("--tile", `${data.tile}px`);
options(byId("columns"), [...varied.map((place) => [String(place), axes[place].title]), ["", "one at a time"]],
  (value) => { chosen.columns = value === "" ? null : Number(value); });
byId("columns").value = String(chosen.columns);
const labels = [...new Set(data.examples.map((one) => one.label))];
options(byId("label"), [["", "all"], ...labels.map((label) => [label, label])], (value) => { chosen.label = value; });
byId("label").parentElement.hidden = labels.length < 2;
byId("theme").onchange = (event) => { document.documentElement.style.colorScheme = event.target.value; };
for (const place of varied) {
  const slider = made("input", { type: "range", min: 0, max: axes[place].values.length - 1, value: 0 });
  slider.dataset.place = place;
  slider.ariaLabel = axes[place].name;
  slider.oninput = () => { chosen.at[place] = Number(slider.value); render(); };
  byId("controls").append(made("label", {}, made("span"), slider));
}
const all = data.examples.flatMap((one) => one.tiles.flat());
const acted = data.drawing.filter((name) => all.some((tile) => tile.acted.includes(name)));
for (const name of acted) {
  const box = made("input", { type: "checkbox", value: name });
  box.onchange = () => { chosen.acted[box.checked ? "add" : "delete"](name); render(); };
  byId("acted").append(made("label", {}, box, " "));
}
byId("acted").hidden = !acted.length;
render();
