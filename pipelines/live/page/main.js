// The state of the page, and what it asks the server for.
import { ask, element, Refused } from "./asking.js";
import { showMistakes, showTransforms } from "./cards.js";
import { layOut, originals, showDetail, showTile } from "./tiles.js";

const PART = 6; // tiles of one request, of images of one size where that is known
const DELAY = 60; // ms from a change to its request
const PATIENCE = 600; // ms after which a request gives way to a newer one
const SHOWN = 12;

const at = (id) => document.getElementById(id);
const state = { recipe: null, images: [], most: 16, first: 0, epoch: 0 };
const sizes = new Map(); // of images, by number, as far as they are known
let timer = 0;
let running = null;
let waiting = false;

function places() {
  const across = Number(at("across").value);
  const count = Math.max(1, Math.floor(Math.min(SHOWN, state.most) / across));
  const images = state.images.slice(state.first, state.first + count).map((_, number) => state.first + number);
  return { across, count, wanted: images.flatMap((image) => [...Array(across).keys()].map((step) => [image, state.epoch + step])) };
}

// Tiles follow changes: one drawing at a time, always of the latest state; a slow one gives way. Until the
// pictures are those of the state, they are marked as waiting.
function changed() {
  at("tiles").classList.add("waiting");
  if (running) {
    waiting = true;
    if (performance.now() - running.since > PATIENCE) running.controller.abort();
  } else if (!timer) {
    timer = setTimeout(draw, DELAY);
  }
}

async function draw() {
  timer = 0;
  waiting = false;
  running = { controller: new AbortController(), since: performance.now() };
  let done = false;
  try {
    await drawn(running.controller.signal);
    done = true;
  } catch (error) {
    if (error instanceof Refused) refused(error);
    else if (error.name !== "AbortError") unanswered(error);
  }
  running = null;
  if (waiting) changed();
  else if (done) at("tiles").classList.remove("waiting");
}

// Images of one size are drawn in as many steps as one of them: they go together.
function parts(places) {
  const groups = new Map();
  for (const place of places) {
    const size = sizes.get(place[0]) ?? "";
    groups.set(size, [...(groups.get(size) ?? []), place]);
  }
  return [...groups.values()].flatMap((group) => {
    const count = Math.ceil(group.length / PART);
    const each = Math.ceil(group.length / count);
    return [...Array(count).keys()].map((part) => group.slice(part * each, (part + 1) * each));
  });
}

async function drawn(signal) {
  const { across, wanted } = places();
  const since = performance.now();
  const recipe = structuredClone(state.recipe);
  layOut(wanted, across, state.images, (place) => showDetail(place, state.recipe).catch(unanswered));
  await Promise.all(parts(wanted).map(async (tiles) => {
    const answer = await ask("/tiles", { recipe, tiles }, signal);
    for (const tile of answer.tiles) sizes.set(tile.image, String(tile.source));
    answer.tiles.forEach(showTile);
  }));
  showMistakes([]);
  if (at("originals").checked) await originals(wanted, signal);
  say(`${wanted.length} pictures in ${Math.round(performance.now() - since)} ms`);
}

function refused(error) {
  if (error.mistakes.length) showMistakes(error.mistakes);
  const count = error.mistakes.length;
  const mistakes = `${count} ${count > 1 ? "mistakes" : "mistake"} in the recipe; the pictures are of the one before`;
  say(count ? mistakes : error.message);
}

function unanswered(error) {
  say(`no answer from the server: ${error.message}`);
}

function say(words) {
  at("status").textContent = words;
}

function showPlaces() {
  const { count } = places();
  const last = Math.min(state.first + count, state.images.length);
  at("images-shown").textContent = `images ${state.first + 1} to ${last} of ${state.images.length}`;
  at("images-before").disabled = state.first === 0;
  at("images-after").disabled = last >= state.images.length;
  at("epoch-before").disabled = state.epoch <= 0;
  changed();
}

function setEpoch(value) {
  const limit = Number(at("epoch").max);
  state.epoch = Math.min(limit, Math.max(0, Math.trunc(Number(value)) || 0));
  at("epoch").value = state.epoch;
  at("epochs-slider").value = Math.min(99, state.epoch);
  showPlaces();
}

// A seed is a whole number of any size, or two that come from a recipe under a global seed.
function showSeed() {
  const seed = state.recipe.seed;
  const pair = Array.isArray(seed);
  at("seed").value = pair ? seed.join(", ") : seed;
  for (const id of ["seed-before", "seed-after"]) at(id).disabled = pair;
}

function setSeed(text) {
  const parts = text.split(",").map((part) => part.trim());
  state.recipe.seed = parts.length === 2 ? parts : parts[0];
  delete state.recipe.pairs; // they are what another seed gave
  changed();
}

function moveSeed(step) {
  const text = String(state.recipe.seed);
  if (!/^[+-]?\d+$/.test(text)) return;
  setSeed(String(BigInt(text) + BigInt(step)));
  showSeed();
}

function open(recipe) {
  state.recipe = recipe;
  showSeed();
  showTransforms(at("transforms"), recipe.transforms, changed);
  showPlaces();
}

async function saved(kind) {
  try {
    return (await ask("/recipe", { recipe: state.recipe }))[kind];
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refused(error);
    return null;
  }
}

async function download(kind, name, type) {
  const text = await saved(kind);
  if (text === null) return;
  const url = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // a browser may begin to save later
  say(`${name} is saved`);
}

async function copy(kind) {
  const text = await saved(kind);
  if (text === null) return;
  await navigator.clipboard.writeText(text).then(() => say("copied"), () => say("the browser does not let a page copy"));
}

async function load(text) {
  const mistake = at("load-mistake");
  mistake.hidden = true;
  try {
    open((await ask("/load", { text })).recipe);
    say("loaded");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    mistake.textContent = error.message;
    mistake.hidden = false;
  }
}

function listen() {
  const on = (id, kind, does) => at(id).addEventListener(kind, async () => {
    try {
      await does();
    } catch (error) {
      unanswered(error);
    }
  });
  on("epoch", "input", () => setEpoch(at("epoch").value));
  on("epochs-slider", "input", () => setEpoch(at("epochs-slider").value));
  on("epoch-before", "click", () => setEpoch(state.epoch - 1));
  on("epoch-after", "click", () => setEpoch(state.epoch + 1));
  on("seed", "input", () => setSeed(at("seed").value));
  on("seed-before", "click", () => moveSeed(-1));
  on("seed-after", "click", () => moveSeed(1));
  on("images-before", "click", () => { state.first = Math.max(0, state.first - places().count); showPlaces(); });
  on("images-after", "click", () => { state.first += places().count; showPlaces(); });
  on("across", "change", showPlaces);
  on("side", "change", () => at("tiles").style.setProperty("--side", `${at("side").value}px`));
  on("originals", "change", changed);
  on("download-json", "click", () => download("json", "recipe.json", "application/json"));
  on("download-python", "click", () => download("python", "recipe.py", "text/x-python"));
  on("copy-json", "click", () => copy("json"));
  on("copy-python", "click", () => copy("python"));
  on("load", "click", () => load(at("text").value));
  on("file", "change", async () => {
    const [file] = at("file").files;
    if (file) await load(await file.text());
    at("file").value = "";
  });
  on("detail-close", "click", () => at("detail").close());
}

async function start() {
  const found = await ask("/start");
  Object.assign(state, { images: found.images, most: found.most });
  showTransforms.catalogue = found.catalogue;
  listen();
  open(found.recipe);
}

start().catch((error) => say(`cannot start: ${error.message}`));
