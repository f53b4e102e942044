// The journal of a run: everything that was written down, newest first, filtered, a page at a time.

import { get, query } from "./api.js";
import { h, keyed, setText } from "./dom.js";
import { count } from "./format.js";
import { time, zone } from "./times.js";
import { card, stateWord } from "./words.js";

const BATCH = 500; // of one request: the API tells the journal from its beginning
const KEPT = 20_000; // lines; a journal that is longer is read with the command line
const PAGE = 100; // rows that are shown, and again with each "more"
const REST_MS = 150;

/** The card; `take(line)` a line that an event told, `close()` when done. `names` finds an operation's name. */
export function journalCard(run, names) {
  const lines = new Map();
  const field = h("input", { type: "search", id: "journal-filter", placeholder: "Filter: server, step, word", autocomplete: "off", spellcheck: "false", "aria-label": "Filter the journal" });
  const state = h("select", { "aria-label": "State" }, h("option", { value: "" }, "every state"),
    ["intended", "running", "done", "failed", "undoing", "undone", "skipped"].map((one) => h("option", { value: one }, word(one))));
  const size = h("span");
  const body = h("tbody");
  const more = h("button", { type: "button", hidden: true }, "Show more");
  const error = h("p.error", { role: "alert", hidden: true });
  const none = h("p.mute.more", { hidden: true });
  const element = card(".journal", "Journal", size, h("div.tools", {}, field, state),
    h("table", {}, h("caption.sr", {}, "Journal, newest first"), h("colgroup", {}, Array.from({ length: 5 }, () => h("col"))),
      h("thead.sr", {}, h("tr", {}, ["Time", "Subject", "Step", "State", "Text"].map((name) => h("th", { scope: "col" }, name)))), body),
    none, error, h("div.more", {}, more));
  let shown = PAGE;
  let due = 0;
  let closed = false;
  let whole = false;

  const show = () => {
    due = 0;
    const text = field.value.trim().toLowerCase();
    const wanted = [...lines.values()].sort((a, b) => b.n - a.n).filter((line) => (!state.value || line.state === state.value)
      && (!text || `${named(line)} ${line.subject} ${line.step} ${line.text} ${line.state}`.toLowerCase().includes(text)));
    keyed(body, wanted.slice(0, shown), ({ n }) => n, (line) => row(line, named(line)), () => undefined);
    more.hidden = wanted.length <= shown;
    none.hidden = wanted.length > 0;
    setText(none, lines.size ? "No line matches the filter." : whole ? "Nothing is written down yet." : "Reading …");
    const part = wanted.length < lines.size ? `${count(wanted.length)} of ${count(lines.size)} lines` : `${count(lines.size)} ${lines.size === 1 ? "line" : "lines"}`;
    setText(size, `newest first · ${part} · times in ${zone()}`);
  };
  const soon = () => (due ||= setTimeout(show, REST_MS));
  const named = (line) => names(line.operation) || line.subject;
  const read = async () => {
    let after = Math.max(0, ...lines.keys());
    try {
      while (!closed && lines.size < KEPT) {
        const { items, next } = await get(query(`/v1/runs/${encodeURIComponent(run)}/journal`, { after, limit: BATCH }));
        for (const line of items) lines.set(line.n, line);
        soon();
        if (next === null) break;
        after = Number(next);
      }
      error.hidden = lines.size < KEPT;
      setText(error, lines.size < KEPT ? "" : `Only the first ${count(KEPT)} lines are read here; all of them: watari runs show ${run} --journal`);
    } catch (problem) {
      error.hidden = false;
      setText(error, problem.detail ?? String(problem));
    }
    whole = true;
    soon();
  };
  const sift = () => {
    shown = PAGE;
    show();
  };
  field.addEventListener("input", sift);
  state.addEventListener("change", sift);
  more.addEventListener("click", () => {
    shown += PAGE;
    show();
  });
  read();
  return {
    element, read, focus: () => field.focus(),
    take: (line) => {
      if (lines.size >= KEPT) return;
      lines.set(line.n, line);
      soon();
    },
    close: () => {
      closed = true;
      clearTimeout(due);
    },
  };
}

// In the journal an intent is written down right before the cloud is asked.
const word = (state) => (state === "intended" ? "asked" : stateWord(state));

function row({ at, step, state, text }, subject) {
  const words = state === "failed" ? h("td.bad", {}, "✕ failed") : h(`td.${state}`, {}, word(state));
  return h("tr", {}, h("td", {}, h("time", { datetime: at }, time(at))), h("td", { dir: "auto" }, subject), h("td", { dir: "auto" }, step), words, h("td.mute", { dir: "auto" }, text));
}
