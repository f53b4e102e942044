// What a run's operations say, in words and sums.

import { NB, count, duration, memory, percent, rate } from "./format.js";
import { since } from "./times.js";
import { sentence, stateWord } from "./words.js";

export const STALLED_S = 120; // without progress for so long: it is said to be stalled
export const ALARM_S = 300; // of a whole run

/** @returns whether something of it goes on in the cloud. */
export const underWay = ({ state }) => state === "intended" || state === "running" || state === "undoing";

/** The step that goes on, or the last one that began. */
export const current = ({ steps }) => steps.find(({ state }) => ["intended", "running", "undoing"].includes(state))
  ?? [...steps].reverse().find(({ asked_at: asked, ended_at: ended }) => asked || ended);

const startOf = (step) => step.begun_at ?? step.asked_at ?? step.ended_at;

/** When the operation last made progress: ISO, or null before it began. */
export function progressAt(operation) {
  const times = operation.steps.flatMap((step) => [step.moved_at, step.ended_at, step.begun_at]).filter(Boolean);
  return times.length ? times.reduce((a, b) => (Date.parse(a) > Date.parse(b) ? a : b)) : null;
}

/** Seconds without progress, or null while it is not stalled. */
export function stalledFor(operation) {
  if (operation.state !== "running") return null;
  const at = progressAt(operation);
  const seconds = at ? since(at) : 0;
  return seconds >= STALLED_S ? seconds : null;
}

/** [MiB copied, MiB in all] of an operation; what was undone or never began copies nothing. */
export function copied(operation) {
  if (["undone", "failed", "skipped"].includes(operation.state)) return [0, 0];
  const told = operation.steps.reduce((all, step) => all + step.total_mib, 0) || operation.mib;
  if (operation.state === "done") return [told, told];
  return [Math.min(told, operation.steps.reduce((all, step) => all + step.done_mib, 0)), told];
}

/** The sums of a run. */
export function totals(operations) {
  const found = { done_mib: 0, total_mib: 0, rate: 0, flying: 0, silent: 0, last: null };
  for (const operation of operations) {
    const [done, total] = copied(operation);
    found.done_mib += done;
    found.total_mib += total;
    const at = progressAt(operation);
    if (at && (!found.last || Date.parse(at) > Date.parse(found.last))) found.last = at;
    if (!underWay(operation)) continue;
    const step = current(operation);
    found.flying += 1;
    found.rate += step?.rate_mib_s ?? 0;
    if (step?.eta_s == null) found.silent += 1;
  }
  return found;
}

/** What is said of an operation at the end of its row: [tone, text]. */
export function told(operation) {
  const { state, waits, note, out_of_service: out } = operation;
  const words = { pending: () => ["", waits ? `waits: ${waits}` : "waits for its turn"], intended: () => ["run", "is being asked for"],
    running: () => going(operation), undoing: () => ["undone", "↩ is being put back"], done: () => ["", `done${took(operation)}`],
    failed: () => ["bad", `✕ ${note || "failed"}`], undone: () => ["undone", `↩ undone${note ? `: ${note}` : ""}`],
    skipped: () => ["mute", `skipped${note ? `: ${note}` : ""}`] }[state];
  const [tone, text] = words ? words() : ["", stateWord(state)];
  return out ? ["bad", `OUT OF SERVICE: ${text}`] : [tone, text];
}

function going(operation) {
  const step = current(operation);
  const stalled = stalledFor(operation);
  if (!step) return ["", "running"];
  const share = step.total_mib > 0 ? `${percent(Math.min(1, step.done_mib / step.total_mib))} of ${memory(step.total_mib)}` : verb(step);
  const left = stalled !== null ? `stalled ${duration(stalled)}` : step.eta_s === null ? "" : `${duration(step.eta_s)} left`;
  const words = [share, step.rate_mib_s > 0 ? rate(step.rate_mib_s) : "", left].filter(Boolean).join(" · ");
  return [stalled === null ? "" : "warn", words];
}

function took({ steps }) {
  const begun = steps.map(startOf).filter(Boolean).map((at) => Date.parse(at));
  const ended = steps.map(({ ended_at: at }) => at).filter(Boolean).map((at) => Date.parse(at));
  const tries = steps.reduce((all, { attempts }) => all + Math.max(0, attempts - 1), 0);
  const retries = tries ? `, ${count(tries)}${NB}${tries === 1 ? "retry" : "retries"}` : "";
  return begun.length && ended.length ? ` in ${duration((Math.max(...ended) - Math.min(...begun)) / 1000)}${retries}` : retries;
}

/** "migrate" of "live-migrate az1-h07 -> az1-h22": what fits into a bar. */
export function verb({ what }) {
  const word = what.split(" ")[0];
  return word.endsWith("migrate") ? "migrate" : word.replace("-host", "");
}

/**
 * The bars of a step: [from ms, to ms or null for now, class, label, title]. Earlier attempts are one bar before the last.
 * @returns {{from: number, to: number|null, kind: string, label: string, title: string}[]}
 */
export function bars(step, clock) {
  const start = startOf(step);
  if (!start) return [];
  const from = Date.parse(start);
  const asked = step.asked_at ? Date.parse(step.asked_at) : from;
  const tries = step.attempts > 1 ? ` ×${step.attempts}` : "";
  const sign = { failed: "✕ ", undone: "↩ ", undoing: "↩ " }[step.state] ?? "";
  const until = step.ended_at ? clock(step.ended_at) : "now";
  const title = `${step.what}, ${stateWord(step.state)}${step.attempts > 1 ? `, attempt ${step.attempts}` : ""}; ${clock(start)}–${until}${step.note ? `: ${sentence(step.note)}` : ""}`;
  const kind = step.state === "intended" ? "running" : step.state;
  const last = { from, to: step.ended_at ? Date.parse(step.ended_at) : null, kind, label: `${sign}${verb(step)}${tries}`, title };
  if (step.attempts < 2 || asked >= from) return [last];
  const earlier = step.attempts - 1;
  return [{ from: asked, to: from, kind: "failed", label: earlier > 1 ? `✕ ×${earlier}` : "✕",
    title: `${earlier} ${earlier === 1 ? "attempt" : "attempts"} before; ${clock(step.asked_at)}–${clock(start)}` }, last];
}
