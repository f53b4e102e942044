// One run: is it moving? Sums, a row per operation, the journal; and the buttons that end it, each saying what it does.

import { get, send } from "./api.js";
import { ask } from "./dialog.js";
import { h, setText } from "./dom.js";
import { NB, count, data, duration, plural, rate } from "./format.js";
import { journalCard } from "./journal.js";
import { title } from "./listing.js";
import { ALARM_S, stalledFor, totals, underWay } from "./run_facts.js";
import { Timeline } from "./timeline.js";
import { ago, since, zone, zoned } from "./times.js";
import { about, card, countWords, empty, named, runChip, sum } from "./words.js";

const LEGEND = [["done", "done"], ["running", "running"], ["failed", "failed attempt"], ["undone", "undone"], ["pending", "to come"]];
const FILTERS = [["All", () => true], ["Under way", underWay], ["Waiting", ({ state }) => state === "pending"],
  ["Done", ({ state }) => state === "done"], ["Not done", ({ state }) => ["failed", "undone", "skipped"].includes(state)]];

/** Open the view; see main.js for what a view is. */
export function runView(root, context, id) {
  const { store } = context;
  const timeline = new Timeline(context);
  const operations = new Map();
  let run = null;
  let journal = null;
  const path = `/v1/runs/${encodeURIComponent(id)}`;
  const parts = { chip: h("span.state"), note: h("span.mute.about"), actions: h("div.actions"), sums: h("dl.card.sums"), out: h("p.verdict.no", { role: "alert", hidden: true }) };
  const buttons = FILTERS.map(([name], n) => {
    const button = h("button", { type: "button", "aria-pressed": String(n === 0) }, name);
    button.addEventListener("click", () => {
      buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(i === n)));
      timeline.choose(FILTERS[n][1]);
    });
    return button;
  });

  const read = async () => {
    try {
      const found = await get(path);
      const first = run === null;
      run = found;
      operations.clear();
      for (const operation of found.operations) operations.set(operation.id, operation);
      if (found.cloud !== store.cloud && store.clouds.has(found.cloud)) return store.choose(found.cloud); // which opens it anew
      if (first) build();
      timeline.show(found.operations, found);
      show();
      return journal.read();
    } catch (problem) {
      if (run === null) root.replaceChildren(title(`Run ${id}`), empty("It cannot be shown", problem.detail ?? String(problem)));
      return undefined;
    }
  };
  const build = () => {
    journal = journalCard(id, (operation) => operations.get(operation)?.name);
    const note = h("span", {}, `a bar is a step · times in ${zone()}`);
    const legend = h("span.legend", {}, LEGEND.map(([kind, word]) => h("span", {}, h(`i.sw.st-${kind}`), word)));
    root.replaceChildren(title(`Run ${id}`, parts.chip, parts.note, parts.actions), parts.out, parts.sums,
      card(".steps-of", "Operations", note, h("div.tools", {}, h("div.group", { role: "group", "aria-label": "Which operations" }, buttons), legend), timeline.element), journal.element);
    root.querySelector("h1").focus({ preventScroll: true });
    get(`/v1/plans/${encodeURIComponent(run.plan)}`).then(({ decided_by: by, decided_at: at }) => {
      run.approved = by ? ` · approved by ${by}${at ? ` at ${zoned(at)}` : ""}` : "";
      show();
    }, () => undefined); // a run of the command line has no plan that stands here
  };
  const show = () => {
    if (!run || !journal) return;
    if (parts.chip.dataset.state !== run.state) {
      parts.chip.dataset.state = run.state;
      parts.chip.replaceChildren(runChip(run.state));
    }
    const ended = run.ended_at ? ` · ended at ${zoned(run.ended_at)}` : "";
    const words = [h("a", { href: store.at("plan", run.plan, run.cloud) }, `plan ${run.plan}`), `, ${run.job} · began at ${zoned(run.started_at)}${run.approved ?? ""}${ended}`];
    if (parts.note.textContent !== words.map((part) => part.textContent ?? part).join("")) parts.note.replaceChildren(...words);
    const all = [...operations.values()];
    const out = all.filter((operation) => operation.out_of_service).map(({ name }) => name);
    parts.out.hidden = !out.length;
    setText(parts.out, outWords(out));
    parts.sums.replaceChildren(...sums(run, all));
    actions(parts.actions, run, all, { ...context, path, done: (changed) => store.learn("run", changed) });
  };
  const stop = store.listen((kind, body) => {
    if (kind === "all") read();
    else if (kind === "link" && run) show();
    else if (!run || body === null) return;
    else if (kind === "run" && body.id === id) {
      const over = !run.ended_at && body.ended_at;
      Object.assign(run, body);
      if (over) read();
      else show();
    } else if (kind === "operation" && body.run === id) {
      operations.set(body.id, body);
      timeline.change(body);
      show();
    } else if (kind === "journal" && body.run === id) journal?.take(body);
  });
  root.replaceChildren(title(`Run ${id}`, h("span.mute", {}, "reading …")));
  read();
  return {
    close: () => {
      stop();
      timeline.close();
      journal?.close();
    },
    tick: () => {
      timeline.tick();
      if (run && !run.ended_at) show();
    },
    key: ({ key }) => {
      if (key === "/") journal?.focus();
      else if (key === "ArrowDown") timeline.list.querySelector("button.name")?.focus();
      else if (key === "Escape") context.go(store.at("runs"));
      else return false;
      return true;
    },
  };
}

function outWords(names) {
  const more = names.length > 5 ? ` and ${count(names.length - 5)} more` : "";
  const them = names.length === 1 ? "it" : "them";
  return `OUT OF SERVICE: ${names.slice(0, 5).map(named).join(", ")}${more}. No orchestrator uses ${them} now; put ${them} back with watari members attach.`;
}

function sums(run, operations) {
  const counts = {};
  for (const { state } of operations) counts[state] = (counts[state] ?? 0) + 1;
  const all = totals(operations);
  const words = countWords(counts).split(", ");
  const [done, doneUnit] = data(all.done_mib);
  const [total, unit] = data(all.total_mib);
  const quiet = all.last && !run.ended_at ? since(all.last) : null;
  const stalled = operations.filter((operation) => stalledFor(operation) !== null).length;
  const took = run.ended_at ? (Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000 : 0;
  const left = all.rate > 0 ? (all.total_mib - all.done_mib) / all.rate : null;
  const starved = run.starved_before === null ? "starved servers: not measured" : `starved servers ${count(run.starved_before)} → ${run.starved_after === null ? "?" : count(run.starved_after)}`;
  return [
    sum("Operations", words[0], words.slice(1).join(", ") || starved),
    sum("Copied", `${done}${NB}${doneUnit}`, `of ${total}${NB}${unit}`, meter(all.total_mib ? all.done_mib / all.total_mib : 0)),
    run.ended_at ? sum("Rate", took > 0 && all.done_mib ? rate(all.done_mib / took) : "–", "on average")
      : sum("Rate", all.flying ? rate(all.rate) : "–", all.flying ? `${plural(all.flying, "operation")} under way` : "nothing is under way"),
    run.ended_at ? sum("Took", duration(took), `ended ${ago(run.ended_at)}`)
      : sum("Time left", left === null ? "not known" : about(left), all.silent ? `${plural(all.silent, "operation")} without an ETA` : starved),
    quiet === null ? sum("Last progress", all.last ? zoned(all.last) : "–", run.ended_at ? "it is over" : "nothing has begun")
      : sum("Last progress", h(quiet > ALARM_S ? "span.warn" : "span", {}, `${duration(quiet)} ago`),
        stalled ? `${plural(stalled, "operation")} stalled` : `${quiet > ALARM_S ? "over" : "alarm at"} ${duration(ALARM_S)}`, meter(Math.min(1, quiet / ALARM_S), quiet > ALARM_S)),
  ];
}

function meter(share, full = false) {
  const bar = h("i");
  bar.style.width = `${(100 * share).toFixed(1)}%`;
  return h(full ? "span.meter.full" : "span.meter", { "aria-hidden": "true" }, bar);
}

/** The buttons that a run's state allows. They are made anew only when that or their counts change. */
function actions(place, run, operations, context) {
  const { store } = context;
  const going = operations.filter(underWay).length;
  const waiting = operations.filter(({ state }) => state === "pending").length;
  const done = operations.filter(({ state }) => state === "done").length;
  const key = `${run.state} ${going} ${waiting} ${done} ${store.may("decide")} ${store.online}`;
  if (place.dataset.key === key) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  place.dataset.key = key;
  const of = { running: ["stop", "cancel"], stopped: ["resume", "cancel"], cancelling: [], done: ["undo"], partly: ["undo"], cancelled: ["undo"] }[run.state] ?? [];
  const buttons = of.filter((name) => name !== "undo" || done > 0).map((name) => {
    const about_ = ASKED[name](run, going, waiting, done);
    const button = h(about_.danger ? "button.danger" : "button", { type: "button", "data-action": name, title: about_.text[0] }, about_.button);
    button.disabled = !store.online;
    button.addEventListener("click", () => act(name, about_, context));
    return button;
  });
  place.replaceChildren(...(store.may("decide") ? buttons : []));
  if (focused) place.querySelector(`[data-action=${focused}]`)?.focus();
}

const ASKED = {
  stop: (run, going, waiting) => ({
    button: `Stop: finish ${count(going)}, start none`, title: `Stop ${run.id}?`, verb: "Stop the run",
    text: [`What is under way (${plural(going, "operation")}) is finished. Nothing more begins: ${plural(waiting, "operation")} that ${waiting === 1 ? "waits" : "wait"} stay where they are.`,
      "It can be resumed later, as long as its plan has not expired."],
  }),
  cancel: (run, going, waiting) => ({
    button: `Cancel: abort ${count(going)}, skip ${count(waiting)}`, title: `Cancel ${run.id}?`, verb: "Cancel the run", danger: true,
    text: [`What is under way (${plural(going, "operation")}) is aborted and put back where it was. ${plural(waiting, "operation")} that ${waiting === 1 ? "has" : "have"} not begun ${waiting === 1 ? "is" : "are"} skipped.`,
      "What has arrived stays there; “Undo” plans the way back afterwards. This cannot be resumed."],
  }),
  resume: (run, going, waiting) => ({
    button: `Resume: ${count(waiting)} to go`, title: `Resume ${run.id}?`, verb: "Resume the run",
    text: [`${plural(waiting, "operation")} that ${waiting === 1 ? "waits" : "wait"} begin again, within the budgets. What the cloud was asked for before is found and watched, not asked for again.`],
  }),
  undo: (run, going, waiting, done) => ({
    button: `Undo ${count(done)}…`, title: `Plan the way back of ${run.id}?`, verb: "Make the plan",
    text: [`A plan is made that moves ${plural(done, "server")} back to where ${done === 1 ? "it was" : "they were"}. Nothing moves yet: the plan waits for approval.`],
  }),
};

async function act(name, about_, { path, go, store, say, done }) {
  const answer = await ask({ ...about_, why: "optional", act: (why) => send("POST", `${path}/${name}`, { why }) });
  if (!answer) return;
  if (name === "undo") go(store.at("plan", answer.id, answer.cloud));
  else {
    say(`Run ${answer.id}: ${answer.state}`);
    done(answer);
  }
}
