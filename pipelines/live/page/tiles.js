// The grid of pictures, and one of them in full.
import { ask, element, Refused } from "./asking.js";

const at = (id) => document.getElementById(id);
const key = ([image, epoch]) => `${image}/${epoch}`;
const found = (place) => at("tiles").querySelector(`[data-place="${key(place)}"]`);

// A figure for each place; those that are there stay, with the picture they have until another comes.
export function layOut(places, across, images, opened) {
  const grid = at("tiles");
  grid.classList.toggle("rows", across > 1);
  grid.style.setProperty("--across", across);
  const before = [...grid.children];
  const figures = places.map((place, number) => {
    const figure = before[number] ?? emptyFigure();
    figure.querySelector("button").onclick = () => opened(place);
    if (figure.dataset.place !== key(place)) {
      const [image, epoch] = place;
      figure.querySelector("figcaption").replaceChildren(element("b", {}, images[image].name), ` epoch ${epoch}`, element("span"));
      figure.dataset.name = images[image].name;
    }
    figure.dataset.place = key(place);
    if (!at("originals").checked) figure.querySelector(".original")?.remove();
    return figure;
  });
  grid.replaceChildren(...figures);
}

function emptyFigure() {
  const button = element("button", { type: "button" }, element("img", { alt: "not drawn yet" }));
  return element("figure", {}, element("div", { class: "pair" }, button), element("figcaption"));
}

const saidOf = (tile) => Object.values(tile.draws ?? {}).join("; ") || "nothing drawn";

export function showTile(tile) {
  const figure = found([tile.image, tile.epoch]);
  if (!figure) return;
  const button = figure.querySelector("button");
  const said = saidOf(tile);
  if (tile.error) {
    button.replaceChildren(element("span", { class: "refused" }, tile.error));
    return;
  }
  const image = button.querySelector("img") ?? element("img");
  image.src = tile.picture;
  image.alt = `${figure.dataset.name} in epoch ${tile.epoch}: ${said}`;
  if (!image.parentNode) button.replaceChildren(image);
  figure.querySelector("figcaption span").textContent = ` · ${said}`;
}

// The images that tiles come of, each beside its tiles.
export async function originals(places, signal) {
  const numbers = [...new Set(places.map(([image]) => image))];
  await Promise.all(numbers.map(async (image) => {
    const shown = places.filter((place) => place[0] === image).map(found).filter((figure) => figure);
    if (shown.every((figure) => figure.querySelector(`.original[data-image="${image}"]`))) return;
    const answer = await ask(`/originals/${image}`, undefined, signal).catch((error) => {
      if (error instanceof Refused) return null;
      throw error;
    });
    for (const figure of shown) {
      figure.querySelector(".original")?.remove();
      if (!answer) continue;
      const picture = element("img", { src: answer.picture, alt: `${figure.dataset.name} as it is` });
      figure.querySelector(".pair").prepend(element("div", { class: "original", "data-image": image }, picture));
    }
  }));
}

export async function showDetail(place, recipe) {
  const title = at("detail-title");
  const body = at("detail-body");
  let tile;
  try {
    tile = await ask("/tile", { recipe, tile: place });
    const original = await ask(`/originals/${place[0]}`);
    title.textContent = `${tile.name}, epoch ${tile.epoch}`;
    body.replaceChildren(
      element("figure", {}, element("img", { src: tile.picture, alt: `${title.textContent}: ${saidOf(tile)}` }), element("figcaption", {}, `${tile.size[1]}×${tile.size[0]} pixels`)),
      sourceFigure(original, tile.corners),
      drawnList(tile),
    );
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    title.textContent = "This picture cannot be shown";
    body.replaceChildren(element("p", { class: "mistake" }, error.message));
  }
  at("detail").showModal();
}

// The source with the window that is read; its upper side is marked, for it may be turned.
function sourceFigure(original, corners) {
  const [height, width] = original.size;
  const points = corners.map(([x, y]) => [x * width, y * height]);
  const xs = [0, width, ...points.map((point) => point[0])];
  const ys = [0, height, ...points.map((point) => point[1])];
  const [left, top] = [Math.min(...xs) - 2, Math.min(...ys) - 2];
  const box = `${left} ${top} ${Math.max(...xs) - left + 2} ${Math.max(...ys) - top + 2}`;
  const svg = drawn("svg", { viewBox: box, role: "img", "aria-label": "the source, with the window that is read drawn on it" });
  const [a, b] = points;
  svg.append(
    drawn("image", { href: original.picture, width, height }),
    drawn("polygon", { points: points.map((point) => point.join(",")).join(" "), class: "window" }),
    drawn("line", { x1: a[0], y1: a[1], x2: b[0], y2: b[1], class: "first" }),
  );
  return element("figure", {}, svg, element("figcaption", {}, "red: what is read; blue: its upper side"));
}

function drawn(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function drawnList(tile) {
  const rows = [["id", tile.id], ["epoch", tile.epoch], ...Object.entries(tile.draws)];
  return element("dl", {}, ...rows.flatMap(([name, said]) => [element("dt", {}, name), element("dd", {}, String(said))]));
}
