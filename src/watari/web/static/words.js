// The words and colours of states: the same in lists, views and the header.

import { NB, count, duration } from "./format.js";
import { h } from "./dom.js";

/** What a cloud's mode means, as short as it can be said. */
export const MODES = {
  off: "nothing is looked at", observe: "only watches", suggest: "suggests plans, acts on none",
  approve: "acts once a person approves", automatic: "acts by itself, within the policy",
};

const PLANS = {
  suggested: ["", "suggested"], waiting: ["warn", "waits for approval"], approved: ["go", "approved, about to begin"],
  begun: ["go", "begun"], rejected: ["bad", "rejected"], replaced: ["", "replaced"], expired: ["", "expired"],
  stale: ["warn", "stale"],
};
const RUNS = {
  running: ["go", "running"], stopped: ["warn", "stopped"], cancelling: ["warn", "being cancelled"],
  cancelled: ["bad", "cancelled"], done: ["good", "done"], partly: ["warn", "partly done"],
};
const OPERATIONS = {
  pending: "waiting", intended: "about to begin", running: "running", undoing: "being undone", done: "done",
  failed: "failed", undone: "undone", skipped: "skipped",
};
const SEVERITIES = { error: ["bad", "✕ error"], warning: ["warn", "warning"], info: ["", "note"] };

const chip = ([kind, word]) => h(kind ? `span.chip.${kind}` : "span.chip", {}, word);

export const planChip = (state) => chip(PLANS[state] ?? ["", state]);
export const runChip = (state) => chip(RUNS[state] ?? ["", state]);
export const severityChip = (severity) => chip(SEVERITIES[severity] ?? ["", severity]);
export const planWord = (state) => (PLANS[state] ?? ["", state])[1];
export const stateWord = (state) => OPERATIONS[state] ?? state;

/** "about 12 min": a forecast is not exact to the second. */
export function about(seconds) {
  return `about ${duration(seconds > 90 ? Math.round(seconds / 60) * 60 : Math.round(seconds))}`;
}

/** "6 of 16 done, 6 running, 3 waiting, 1 undone": every state that there is, in the order of a life. */
export function countWords(counts) {
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const others = ["running", "intended", "undoing", "pending", "failed", "undone", "skipped"]
    .filter((state) => counts[state]).map((state) => `${count(counts[state])}${NB}${stateWord(state)}`);
  return [`${count(counts.done ?? 0)} of ${count(all)} done`, ...others].join(", ");
}

/** A sentence with one full stop. */
export function sentence(text) {
  const trimmed = text.trim();
  return /[.!?。]$/.test(trimmed) || !trimmed ? trimmed : `${trimmed}.`;
}

/** A name inside a sentence: what runs from right to left in it, or says that it does, ends with it. */
export const named = (name) => (/[^\x20-\x7e]/.test(name) ? `\u2068${name}\u2069` : name);

/** As a sentence begins; a name at the beginning stays as it is. */
export const capital = (text) => (/^[a-z]+(?![\w.-])/.test(text) ? text[0].toUpperCase() + text.slice(1) : text);

/** The empty state of a view: what there is not, and what to do next. */
export function empty(title, ...next) {
  const birds = document.querySelector(".brand svg").cloneNode(true);
  birds.setAttribute("width", "64");
  birds.setAttribute("height", "48");
  return h("div.nothing", {}, birds, h("h2", {}, title), next.map((text) => h("p", {}, text)));
}

/** A card with a heading and a note beside it. */
export function card(spec, title, note, ...children) {
  return h(`section.card${spec}`, {}, h("div.head", {}, h("h2", {}, title), note), children);
}

/** One number of the row of sums: [name, value, small print]. */
export function sum(name, value, small, bar = null) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value, h("small", {}, small)), bar);
}
