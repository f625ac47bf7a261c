// One argument of a transform, with the control of its type.
import { element, fresh } from "./asking.js";

// `set` is given the new value; undefined leaves the argument to its default.
export function field(argument, value, set) {
  const given = value === undefined ? argument.default : value;
  const make = { switch: checked, choice: chosen, number: numbered, range: ranged, either: either, values: listed, text: written, seed: written }[argument.control];
  const made = make(argument, given, set);
  made.classList.add("field");
  made.dataset.argument = argument.name;
  if (argument.remark) made.append(element("p", { class: "remark" }, argument.remark));
  return made;
}

const row = (...children) => element("div", { class: "row" }, ...children);

function labelled(argument, control) {
  control.id = fresh(argument.name);
  control.classList.add("wide");
  return element("div", {}, row(element("label", { for: control.id }, argument.name), control));
}

function checked(argument, value, set) {
  return labelled(argument, element("input", { type: "checkbox", checked: value === true, change: (event) => set(event.target.checked) }));
}

function chosen(argument, value, set) {
  const choices = argument.optional ? [null, ...argument.choices] : argument.choices;
  const options = choices.map((choice, place) => element("option", { value: place, selected: choice === value }, choice === null ? "not set" : String(choice)));
  return labelled(argument, element("select", { change: (event) => set(choices[event.target.value] ?? undefined) }, ...options));
}

function written(argument, value, set) {
  return labelled(argument, element("input", {
    type: "text", value: value ?? "", placeholder: "not set", autocomplete: "off",
    input: (event) => set(event.target.value.trim() || undefined),
  }));
}

// Numbers between commas, or a word: "3" is 3, "1, 2" is [1, 2].
function listed(argument, value, set) {
  const said = Array.isArray(value) ? value.join(", ") : value ?? "";
  const read = (text) => {
    const parts = text.split(",").map((part) => part.trim()).filter((part) => part).map((part) => (Number.isNaN(Number(part)) ? part : Number(part)));
    if (!parts.length) return undefined;
    return parts.length === 1 && !text.includes(",") ? parts[0] : parts;
  };
  return labelled(argument, element("input", {
    type: "text", value: said, placeholder: "not set", autocomplete: "off",
    input: (event) => set(read(event.target.value)),
  }));
}

// A slider, if there is a scale, and the number beside it: both move together. Empty is null.
function number(label, scale, value, set) {
  const typed = element("input", { type: "number", step: "any", value: value ?? "", id: fresh("number") });
  const parts = [element("label", { for: typed.id }, label)];
  if (scale) {
    const [min, max, step] = scale;
    const slider = element("input", { type: "range", min, max, step, value: value ?? min, "aria-label": `${label}, to slide` });
    slider.addEventListener("input", () => { typed.value = slider.value; set(Number(slider.value)); });
    typed.addEventListener("input", () => { if (typed.value !== "") slider.value = typed.value; });
    parts.push(slider);
  } else {
    typed.classList.add("wide");
  }
  typed.addEventListener("input", () => set(typed.value === "" ? null : Number(typed.value)));
  return row(...parts, typed);
}

function numbered(argument, value, set) {
  // An empty field is the default where there is one, else a mistake that the server names.
  const given = (found) => set(found ?? (argument.required ? null : undefined));
  return element("div", {}, number(argument.name, argument.scale, value, given));
}

function grouped(argument, ...children) {
  return element("fieldset", {}, element("legend", {}, argument.name), ...children);
}

function pairOf(argument, value, set) {
  const ends = [...value];
  const end = (place, label) => number(label, argument.scale, ends[place], (found) => { ends[place] = found; set([...ends]); });
  const [first, second] = argument.name === "translate" ? ["width", "height"] : ["low", "high"];
  return element("div", { class: "inputs" }, end(0, first), end(1, second));
}

function ranged(argument, value, set) {
  const usual = argument.default ?? (argument.scale ?? [0, 1]).slice(0, 2);
  let inputs = value ? pairOf(argument, value, set) : null;
  if (!argument.optional) return grouped(argument, inputs);
  const box = element("input", { type: "checkbox", checked: Boolean(value), id: fresh("set"), change: (event) => {
    inputs?.remove();
    inputs = event.target.checked ? pairOf(argument, usual, set) : null;
    if (inputs) made.querySelector("label").after(inputs);
    set(event.target.checked ? [...usual] : undefined);
  } });
  const made = grouped(argument, box, element("label", { for: box.id, class: "how" }, "set"));
  if (inputs) made.append(inputs);
  return made;
}

// A number, which the library reads as a range about its middle, or a range that is said.
function either(argument, value, set) {
  const scale = argument.scale && [Math.max(0, argument.scale[0]), ...argument.scale.slice(1)];
  const most = (scale ?? [0, 1])[1];
  const kinds = argument.optional ? ["not set", "a number", "low and high"] : ["a number", "low and high"];
  const kind = value === null || value === undefined ? (argument.optional ? "not set" : "a number") : Array.isArray(value) ? "low and high" : "a number";
  const inputs = (of, current) => {
    if (of === "not set") return element("div", { class: "inputs" });
    if (of === "low and high") return pairOf(argument, current, set);
    return element("div", { class: "inputs" }, number(argument.name, scale, current, set));
  };
  let shown = inputs(kind, value);
  let last = value;
  const change = (event) => {
    const ends = Array.isArray(last) ? last : [-(last ?? 0), last ?? most / 2];
    const next = { "not set": undefined, "a number": Math.max(...ends.map(Math.abs)), "low and high": ends.map((end) => Math.max(end, (argument.scale ?? [-most])[0])) }[event.target.value];
    const made = inputs(event.target.value, next);
    shown.replaceWith(made);
    shown = made;
    last = next;
    set(next);
  };
  const choice = element("select", { id: fresh("how"), "aria-label": `${argument.name}: how it is said`, change },
    ...kinds.map((one) => element("option", { selected: one === kind }, one)));
  const original = set;
  set = (found) => { last = found; original(found); };
  const made = grouped(argument, shown);
  made.querySelector("legend").after(choice);
  return made;
}
