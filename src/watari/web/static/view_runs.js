// The list of runs: what is carried out now, what was.

import { h, setText } from "./dom.js";
import { count, duration } from "./format.js";
import { empty, listing, title } from "./listing.js";
import { isOpen } from "./store.js";
import { ago, since, zone, zoned } from "./times.js";
import { countWords, runChip } from "./words.js";

const COLUMNS = ["Run", "State", "Operations", "Began", "Starved servers"];
const BARS = ["done", "running", "undoing", "undone", "failed", "skipped"];

/** Open the view; see main.js for what a view is. */
export function runsView(root, context) {
  const { store } = context;
  root.append(title("Runs", h("span.mute", {}, `newest first · times in ${zone()}`)));
  return listing(root, context, {
    path: "/v1/runs", kind: "run", columns: COLUMNS,
    filters: [{ name: "All", query: {}, takes: () => true }, { name: "Not over", query: { open: true }, takes: isOpen }],
    create: () => h("a.row", {}, h("b.id"), h("span.state"), h("span.what", {}, h("span.words"), bars()), h("span.when"), h("span.who")),
    fill: (row, run) => fill(row, run, store),
    none: (filter) => (filter ? empty("No run is under way", "Approve a plan and its run appears here.")
      : empty("Nothing was carried out yet", "Approve a plan, or carry one out with watari apply, and its run appears here: one line per operation.")),
  });
}

/** A bar of a run's operations by their state. */
export function bars() {
  return h("span.bars", { "aria-hidden": "true" }, BARS.map((state) => h(`i.st-${state}`)));
}

export function fillBars(bar, counts) {
  const all = Math.max(1, Object.values(counts).reduce((sum, n) => sum + n, 0));
  BARS.forEach((state, n) => {
    const number = (counts[state] ?? 0) + (state === "running" ? (counts.intended ?? 0) : 0);
    bar.children[n].style.width = `${(100 * number) / all}%`;
  });
}

function fill(row, run, store) {
  const [id, state, what, when, who] = row.children;
  row.setAttribute("href", store.at("run", run.id));
  setText(id, run.id);
  if (state.dataset.state !== run.state) {
    state.dataset.state = run.state;
    state.replaceChildren(runChip(run.state));
  }
  setText(what.firstChild, `${run.job}: ${countWords(run.counts)}`);
  fillBars(what.lastChild, run.counts);
  const took = run.ended_at ? `, took ${duration((Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000)}` : `, for ${duration(since(run.started_at))}`;
  setText(when, run.ended_at ? `${ago(run.started_at)}${took}` : `${ago(run.started_at)}`);
  when.title = run.ended_at ? `${zoned(run.started_at)} to ${zoned(run.ended_at)}` : zoned(run.started_at);
  setText(who, run.starved_before === null ? "–" : `${count(run.starved_before)} → ${run.starved_after === null ? "?" : count(run.starved_after)}`);
}
