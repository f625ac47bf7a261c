// Requests to the server, and what all modules share.

export class Refused extends Error {
  constructor(answer) {
    const mistakes = answer.mistakes ?? [];
    super(answer.error ?? mistakes[0]?.message ?? "refused");
    this.mistakes = mistakes;
  }
}

// The answer to a request; one with a body is posted. Throws Refused where the server says what is wrong.
export async function ask(path, body, signal) {
  const options = { signal };
  if (body !== undefined) {
    Object.assign(options, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }
  const response = await fetch(path, options);
  const answer = await response.json();
  if (answer.error || answer.mistakes) throw new Refused(answer);
  return answer;
}

// A node with attributes and children; attributes that are functions are listeners, null ones are left out.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

let count = 0;
export const fresh = (name) => `${name}-${++count}`;
