// The transforms of a recipe as cards: added, removed, moved, each argument with its control.
import { element, fresh } from "./asking.js";
import { field } from "./fields.js";

let top = null; // { root, steps, changed }

const kinds = () => showTransforms.catalogue.flatMap((group) => group.transforms);
const kindOf = (type) => kinds().find((kind) => kind.type === type);
const snake = (type) => type.replace(/(?<!^)(?=[A-Z])/g, "_").toLowerCase();

export function showTransforms(root, steps, changed) {
  top = { root, steps, changed };
  root.replaceChildren(list(steps, []));
}

// Shows each mistake at its argument, or its transform, or above the pictures; and takes away earlier ones.
export function showMistakes(mistakes) {
  for (const old of top.root.querySelectorAll(".mistake")) old.remove();
  for (const old of top.root.querySelectorAll(".wrong")) old.classList.remove("wrong");
  for (const old of top.root.querySelectorAll("[aria-invalid]")) {
    old.removeAttribute("aria-invalid");
    old.removeAttribute("aria-describedby");
  }
  const general = mistakes.filter((mistake) => !showMistake(mistake));
  const place = document.getElementById("mistake");
  place.hidden = !general.length;
  place.textContent = general.map((mistake) => mistake.message).join("; ");
}

function showMistake({ path, argument, message }) {
  const card = path.length ? top.root.querySelector(`[data-path="${path.join("/")}"]`) : null;
  if (!card) return false;
  card.classList.add("wrong");
  const fields = [...card.querySelectorAll(`.field[data-argument="${argument}"]`)];
  const place = fields.find((found) => found.closest(".card") === card) ?? card;
  const said = element("p", { class: "mistake", id: fresh("mistake") }, message);
  place.append(said);
  for (const input of place === card ? [] : place.querySelectorAll("input, select")) {
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", said.id);
  }
  const further = place.closest("details");
  if (further) further.open = true;
  return true;
}

function list(steps, path, holder = null) {
  const cards = steps.map((step, number) => card(steps, number, [...path, number]));
  const made = element("div", {}, element("ol", { class: "transforms" }, ...cards), adder(steps, path, holder));
  return made;
}

function card(steps, number, path) {
  const step = steps[number];
  const kind = kindOf(step.type);
  const title = step.name ? `${step.type} ` : step.type;
  const move = (by, label, sign, far) => element("button", {
    type: "button", "aria-label": `Move ${step.type} ${label}`, disabled: far, "data-does": label,
    click: () => { moved(steps, number, by); again([...path.slice(0, -1), number + by], label); },
  }, sign);
  const head = element("div", { class: "head" },
    element("h3", {}, title, step.name ? element("small", {}, step.name) : null),
    move(-1, "up", "↑", number === 0),
    move(1, "down", "↓", number === steps.length - 1),
    element("button", {
      type: "button", "aria-label": `Remove ${step.type}`,
      click: () => { steps.splice(number, 1); again([...path.slice(0, -1), Math.min(number, steps.length - 1)], null); },
    }, "✕"));
  const fields = kind.arguments.map((argument) => [argument, argumentOf(step, argument, path)]);
  const plain = fields.filter(([argument]) => !argument.further).map(([, made]) => made);
  const further = fields.filter(([argument]) => argument.further).map(([, made]) => made);
  return element("li", { class: "card", "data-path": path.join("/"), tabindex: "-1", "aria-label": title.trim() },
    head, element("p", { class: "does" }, kind.does), ...plain,
    element("details", {}, element("summary", {}, "Further arguments"), ...further));
}

function argumentOf(step, argument, path) {
  const { name } = argument;
  if (argument.control === "several" || argument.control === "one") {
    const inner = argument.control === "several" ? list(step[name], [...path, name]) : held(step, name, [...path, name]);
    return element("fieldset", { class: "field", "data-argument": name }, element("legend", {}, name), element("div", { class: "inputs" }, inner));
  }
  const set = (value) => {
    if (value === undefined) delete step[name];
    else step[name] = value;
    top.changed();
  };
  return field(argument, step[name], set);
}

// The one transform inside of another: its card, and what puts another in its place.
function held(step, name, path) {
  const inner = card([step[name]], 0, path);
  for (const button of inner.querySelector(".head").querySelectorAll("button")) button.remove();
  return element("div", {}, element("ol", { class: "transforms" }, inner), adder([], path, { step, name }));
}

function moved(steps, number, by) {
  const [step] = steps.splice(number, 1);
  steps.splice(number + by, 0, step);
}

// Another of a type that is there needs a name of its own: its draws follow the name.
function named(step, steps) {
  const alike = steps.filter((other) => other.type === step.type);
  if (!alike.length) return step;
  const names = new Set(steps.map((other) => other.name));
  let number = 2;
  while (names.has(`${snake(step.type)}_${number}`)) number += 1;
  return { ...step, name: `${snake(step.type)}_${number}` };
}

function adder(steps, path, holder) {
  const id = fresh("add");
  const groups = showTransforms.catalogue.map((group) => element("optgroup", { label: group.group },
    ...group.transforms.map((kind) => element("option", { title: kind.does }, kind.type))));
  const choice = element("select", { id }, ...groups);
  const where = path.length ? ` in ${path.join(" ")}` : "";
  const add = () => {
    const step = structuredClone(kindOf(choice.value).start);
    if (holder) holder.step[holder.name] = step;
    else steps.push(named(step, steps));
    again(holder ? path : [...path, steps.length - 1], null);
  };
  const verb = holder ? "Put in its place" : "Add";
  return element("div", { class: "add" },
    element("label", { class: "unseen", for: id }, `A transform to ${holder ? "put in its place" : "add"}${where}`), choice,
    element("button", { type: "button", class: path.length ? null : "main", "aria-label": `${verb}${where}`, click: add }, verb));
}

// All cards anew; the focus goes to a card, or to a button on it.
function again(path, does) {
  const open = [...top.root.querySelectorAll("details[open]")].map((one) => one.closest(".card").dataset.path);
  showTransforms(top.root, top.steps, top.changed);
  for (const one of open) top.root.querySelector(`[data-path="${one}"] > details`)?.setAttribute("open", "");
  const place = top.root.querySelector(`[data-path="${path.join("/")}"]`);
  const button = does && place?.querySelector(`[data-does="${does}"]:not(:disabled)`);
  (button || place)?.focus();
  place?.scrollIntoView({ block: "nearest" });
  top.changed();
}
