// What a plan says, put into the words and sums of its view. See plan/plan.py for the file that is read here.

import { NB, duration, memory, percent } from "./format.js";
import { named } from "./words.js";

const MOVES = ["live-migrate", "cold-migrate"];
const TYPED = /^[\x21-\x7e]{1,64}$/; // what a person can type

/** The step that moves the operation's server; undefined if none does. */
export const moveOf = (operation) => operation.steps.find(({ verb }) => MOVES.includes(verb));

/** MiB that an operation copies. */
export const mibOf = ({ cost }) => cost.memory_mib + cost.disk_mib;

/** Operations by wave, in order: [[1, operations], …]. */
export function waves({ operations }) {
  const found = new Map();
  for (const operation of operations) {
    if (!found.has(operation.wave)) found.set(operation.wave, []);
    found.get(operation.wave).push(operation);
  }
  return [...found].sort(([a], [b]) => a - b);
}

/** Seconds of a wave: as slow as its slowest operation. */
export const waveSeconds = (operations) => Math.max(0, ...operations.map(({ cost }) => cost.seconds));

/** Seconds of the plan: wave after wave. */
export const seconds = (plan) => waves(plan).reduce((all, [, operations]) => all + waveSeconds(operations), 0);

/** MiB of the plan. */
export const mib = (plan) => plan.operations.reduce((all, operation) => all + mibOf(operation), 0);

/** Whether a server is stopped by its operation. */
export const stops = (operation) => operation.destructive || moveOf(operation)?.verb === "cold-migrate";

const drained = (plan) => plan.operations.flatMap(({ steps }) => steps.filter(({ verb }) => verb === "disable-host").map(({ host }) => host));

/**
 * What has to be typed before a plan is approved, and why; null for one that needs no such care.
 * The one server or host that it is about; the plan's id for several, or for a name that nobody can type.
 */
export function wordFor(plan) {
  const destroyed = plan.operations.filter(({ destructive }) => destructive).map(({ name }) => name);
  const hosts = [...new Set(drained(plan))];
  if (!destroyed.length && !(plan.job === "drain" && hosts.length)) return null;
  const names = destroyed.length ? destroyed : hosts;
  const only = names.length === 1 && TYPED.test(names[0]);
  const what = destroyed.length
    ? (names.length === 1 ? `${named(names[0])} will be stopped.` : `${names.length} servers will be stopped.`)
    : (names.length === 1 ? `${named(names[0])} will be emptied.` : `${names.length} hosts will be emptied.`);
  return { word: only ? names[0] : plan.id, of: only ? "its name" : "the plan’s id", what };
}

/** "live-migrate", "cold-migrate (stops it)", "disable the host" … as a short word. */
export function verbOf(operation) {
  const verb = (moveOf(operation) ?? operation.steps[0])?.verb ?? "nothing";
  return { "live-migrate": "live", "cold-migrate": "cold", "disable-host": "disable", "enable-host": "enable" }[verb] ?? verb;
}

/** "az1-h07 → az1-h22", or the host that is disabled or enabled. */
export function way(operation) {
  const move = moveOf(operation);
  return move ? `${move.source} → ${move.target}` : (operation.steps[0]?.host ?? "");
}

/** "steal 16 % (limit 5 %), load 1.23 per vCPU" */
export function because({ reasons, relieves, steps }) {
  const words = reasons.map(({ text, value, limit }) => `${text}${value ? ` ${value}` : ""}${limit ? ` (limit ${limit})` : ""}`);
  const more = relieves.length > 3 ? ` and ${relieves.length - 3} more` : "";
  if (relieves.length) words.push(`relieves ${relieves.slice(0, 3).map(named).join(", ")}${more}`);
  if (!words.length && steps[0]?.reason) words.push(steps[0].reason);
  return words.join(", ");
}

/** What speaks for the chosen host, in a few words. */
export function chosen({ candidates, role }) {
  const [first] = candidates;
  if (!first) return "";
  const facts = [first.steal === null ? "" : `steal ${percent(first.steal)}`, role ? `${first.same_role} ${role} there` : `CPU ${percent(first.cpu_after)}`];
  return `${first.host}: ${facts.filter(Boolean).join(", ")}`;
}

/** "16 GiB", "16 + 40 GiB disk", "nothing" */
export function copyWords({ cost }) {
  if (!cost.memory_mib && !cost.disk_mib) return "–";
  return cost.disk_mib && cost.memory_mib ? `${memory(cost.memory_mib)} + ${memory(cost.disk_mib)} disk`
    : cost.disk_mib ? `${memory(cost.disk_mib)} disk` : memory(cost.memory_mib);
}

/** The pause of a guest that moves: "0.3 s"; whole seconds from ten on. */
export const pauseWords = (s) => (s < 10 ? `${s.toFixed(1)}${NB}s` : duration(s));
