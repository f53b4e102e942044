// The numbers on top: who suffers, what was avoided, what moved, which budgets are in use.

import { NB, change, count, data, duration, hours, percent, rate, scaled, wall } from "./format.js";
import { h, keyed, s, setText } from "./dom.js";

const SPARK = { w: 72, h: 26, slots: 36 };

/** Build the strip in a <dl>; the returned function shows a state. */
export function strip(list) {
  const starved = entry(list, "Starved servers now");
  const steal = entry(list, "Steal today");
  const moves = entry(list, "Moves today");
  const moved = entry(list, "Moved today");
  const budgets = h("dd.budgets");
  const quiet = h("dd.sub");
  list.append(h("div", {}, h("dt", {}, "Budgets in use"), budgets, quiet));
  const path = s("path");
  starved.big.append(s("svg.spark", { width: SPARK.w, height: SPARK.h, "aria-hidden": "true" }, path));
  const saved = h("span.chip.go");
  steal.big.append(saved);
  const outcome = { running: h("b.ok"), undone: h("span"), failed: h("b.bad") };
  moves.sub.append(outcome.running, " · ", outcome.undone, " · ", outcome.failed);

  return (state) => {
    const now = state.strip;
    setText(starved.number, count(now.starved));
    const without = now.starved_shadow === null ? "" : ` · ${count(now.starved_shadow)} without moves`;
    setText(starved.sub, `of ${count(state.servers.id.length)}${without}`);
    path.setAttribute("d", spark(state.chart.starved.slice(-SPARK.slots)));
    showSteal(steal, saved, now);
    setText(moves.number, count(now.moves.done));
    setText(moves.unit, "done");
    for (const [name, words] of [["running", `under${NB}way`], ["undone", "undone"], ["failed", "failed"]]) {
      setText(outcome[name], `${count(now.moves[name])}${NB}${words}`);
      outcome[name].classList.toggle("none", now.moves[name] === 0);
    }
    showMoved(moved, now.moved_mib);
    keyed(budgets, now.budgets, (budget) => budget.name, meterOf, showMeter);
    setText(quiet, peakWords(now.quiet, wall(state.now), state.time_zone));
  };
}

function entry(list, name) {
  const parts = { number: h("span"), unit: h("small"), sub: h("dd.sub") };
  parts.big = h("dd.big", {}, parts.number, parts.unit);
  list.append(h("div", {}, h("dt", {}, name), parts.big, parts.sub));
  return parts;
}

function showSteal(steal, saved, now) {
  const [number, prefix] = scaled(now.steal_s_today);
  const shadow = now.steal_s_shadow_today;
  setText(steal.number, number);
  setText(steal.unit, [prefix, "s"].filter(Boolean).join(NB));
  saved.hidden = !shadow;
  if (shadow === null) return setText(steal.sub, "CPU time asked for and not given");
  const [other, otherPrefix] = scaled(shadow);
  const hoursSaved = Math.max(0, shadow - now.steal_s_today) / 3600;
  setText(saved, shadow ? change(now.steal_s_today / shadow - 1) : "");
  const cpu = hoursSaved >= 0.5 ? ` · ${count(hoursSaved)}${NB}h of CPU saved` : "";
  return setText(steal.sub, `${[other, otherPrefix, "s"].filter(Boolean).join(NB)} doing nothing${cpu}`);
}

function showMoved(moved, mib) {
  const all = mib.memory + mib.disk;
  const [number, unit] = data(all);
  setText(moved.number, number);
  setText(moved.unit, unit);
  const text = `${percent(mib.memory / all)} memory, ${percent(mib.disk / all)} local disk`;
  setText(moved.sub, all ? text : "nothing copied yet");
}

function meterOf() {
  return h("div", {}, h("span.name"), h("b"), h("span.meter", {}, h("i")));
}

function showMeter(element, { name, used, limit, unit }) {
  const [label, value, meter] = element.children;
  setText(label, name);
  const [a, b] = unit === "MiB/s" ? amounts(used, limit) : [count(used), `${count(limit)}${unit ? NB + unit : ""}`];
  setText(value, `${a} of ${b}`);
  meter.firstChild.style.width = `${Math.min(100, limit ? (100 * used) / limit : 0)}%`;
  meter.classList.toggle("full", limit > 0 && used >= limit);
}

/** "2.1", "2.9 GiB/s": both in the limit's unit. */
function amounts(used, limit) {
  return limit >= 1024 ? [(used / 1024).toFixed(1), rate(limit)] : [count(used), rate(limit)];
}

function peakWords(quiet, now, zone) {
  if (!quiet) return "No quiet hours or peaks ahead today";
  const [from, to] = [hours(quiet.from), hours(quiet.to)];
  const inside = from <= to ? now >= from && now < to : now >= from || now < to;
  const what = quiet.moves ? `at most ${quiet.moves} moves at once` : "no move starts";
  const where = quiet.zones.length ? ` in ${quiet.zones.join(", ")}` : "";
  const when = inside ? `now, ${minutes(to - now)} more` : `in ${minutes(from - now)}`;
  return `Peak: ${what}${where} ${quiet.from}–${quiet.to}${NB}${zone}, ${when}`;
}

const minutes = (seconds) => duration(Math.ceil(((seconds + 86_400) % 86_400) / 60) * 60);

function spark(values) {
  if (values.length < 2) return "";
  const most = Math.max(1, ...values);
  const step = (SPARK.w - 2) / (SPARK.slots - 1);
  const left = SPARK.w - 1 - step * (values.length - 1);
  return values.map((v, i) => `${i ? "L" : "M"}${(left + i * step).toFixed(1)} ${(SPARK.h - 2 - (v / most) * (SPARK.h - 4)).toFixed(1)}`).join("");
}

/** The day's end as a sentence. */
export function verdict(ended, policyName) {
  const moves = `${count(ended.moves.done)} move${ended.moves.done === 1 ? "" : "s"}`;
  const minutes = `${count(ended.starved_min)} starved server-minutes instead of ${count(ended.starved_min_shadow)} doing nothing`;
  const [moved, unit] = data(ended.moved_mib.memory + ended.moved_mib.disk);
  const avoided = ended.avoided === null
    ? "nothing was avoidable"
    : `${percent(ended.avoided)} of the avoidable starvation was avoided with ${moves}`;
  return [`The day is over: ${avoided}.`, `${minutes}; ${moved}${NB}${unit} copied; policy “${policyName}”.`];
}
