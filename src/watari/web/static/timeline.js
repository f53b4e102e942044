// One row per operation, one bar per step; what lies ahead is dashed. Only what changes is drawn again.

import { h, setText } from "./dom.js";
import { duration, plural } from "./format.js";
import { roving } from "./rows.js";
import { bars, current, told, underWay } from "./run_facts.js";
import { now, ticks, time } from "./times.js";
import { stateWord } from "./words.js";

const LABEL_PX = 8; // per letter of a bar's label, about
const SHARE = 0.18; // of the time gone by that is kept free on the right

/** The rows of a run. `show(operations, run)` once, `change(operation)` for each new value, `tick()` every second. */
export class Timeline {
  constructor({ store }) {
    Object.assign(this, { store, rows: new Map(), order: [], run: null, from: 0, to: 1, width: 600, filter: () => true });
    this.axis = h("span.track");
    this.lines = h("div.track");
    this.now = h("i.now");
    this.list = h("ol.operations");
    this.none = h("p.mute.more", { hidden: true }, "No operation is in that state.");
    this.element = h("div.timeline", {}, h("div.lines", { "aria-hidden": "true" }, h("span"), h("span"), this.lines, h("span")),
      h("div.op.axis", { "aria-hidden": "true" }, h("span"), h("span"), this.axis, h("span")), this.list, this.none);
    this.arrange = roving(this.list, "button.name");
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(this.axis);
  }

  close() {
    this.watch.disconnect();
  }

  show(operations, run) {
    this.run = run;
    this.order = operations;
    this.rows = new Map(operations.map((operation) => [operation.id, this.rows.get(operation.id) ?? this.row(operation)]));
    for (const operation of operations) this.rows.get(operation.id).operation = operation;
    this.list.replaceChildren(...[...this.rows.values()].map(({ element }) => element));
    this.window();
    this.drawAll();
    this.arrange();
  }

  change(operation) {
    const row = this.rows.get(operation.id);
    if (!row) return;
    row.operation = operation;
    this.order = this.order.map((one) => (one.id === operation.id ? operation : one));
    this.draw(row);
    this.sift(row);
  }

  /** Show only operations of some states. */
  choose(filter) {
    this.filter = filter;
    for (const row of this.rows.values()) this.sift(row);
    this.none.hidden = [...this.rows.values()].some(({ element }) => !element.hidden);
  }

  sift(row) {
    row.element.hidden = !this.filter(row.operation);
  }

  tick() {
    if (!this.run || this.run.ended_at) return;
    if (this.window()) this.drawAll();
    else {
      for (const row of this.rows.values()) if (underWay(row.operation) || row.operation.state === "pending") this.draw(row);
      this.nowLine();
    }
  }

  resized() {
    const width = this.axis.clientWidth;
    if (Math.abs(width - this.width) < 8 || !this.run) return;
    this.width = width;
    this.drawAll();
  }

  /** Choose what the time axis spans; @returns whether that changed. It grows in steps, so that rows rarely have to move. */
  window() {
    const begun = this.order.flatMap(({ steps }) => steps.map(({ asked_at: at }) => at)).filter(Boolean).map((at) => Date.parse(at));
    const from = Math.min(Date.parse(this.run.started_at), ...begun.slice(0, 2000));
    const here = this.run.ended_at ? Date.parse(this.run.ended_at) : now();
    const gone = Math.max(20_000, here - from);
    const longest = Math.max(0, ...this.order.map((o) => (underWay(o) ? (current(o)?.eta_s ?? 0) : 0))) * 1000;
    const ahead = this.run.ended_at ? 0.01 * gone : Math.max(SHARE * gone, Math.min(longest, 0.6 * gone));
    const fits = from - 0.02 * gone >= this.from - 0.2 * gone && here < this.to - 0.06 * gone && this.to < here + 2 * ahead && !this.run.ended_at;
    if (this.from && fits) return false;
    this.from = from - 0.02 * gone;
    this.to = here + ahead * 1.25;
    return true;
  }

  x(ms) {
    return (100 * (ms - this.from)) / (this.to - this.from);
  }

  drawAll() {
    const marks = ticks(this.from, this.to, Math.max(2, Math.floor(this.width / 110)));
    const here = this.run.ended_at ? null : now();
    const near = (at) => here !== null && Math.abs(this.x(at) - this.x(here)) * this.width < 4200;
    const seconds = this.to - this.from < 240_000;
    this.axis.replaceChildren(...marks.filter((at) => !near(at)).map((at) => at_(h("span.hour", {}, time(at, { seconds })), this.x(at))),
      ...(here === null ? [] : [at_(h("b.hour", {}, "now"), this.x(here))]));
    this.lines.replaceChildren(...marks.map((at) => at_(h("i"), this.x(at))), ...(here === null ? [] : [this.now]));
    this.nowLine();
    for (const row of this.rows.values()) this.draw(row);
  }

  nowLine() {
    if (this.run.ended_at) return;
    at_(this.now, this.x(now()));
    const word = this.axis.querySelector("b");
    if (word) at_(word, this.x(now()));
  }

  row(operation) {
    const name = h("button.name", { type: "button", "aria-expanded": "false", dir: "auto", title: operation.name }, operation.name);
    const way = h("span.way", { dir: "auto" }, operation.target ? `${operation.source} → ${operation.target}` : operation.source);
    const element = h("li", {}, h("div.op", {}, name, way, h("span.track"), h("span.told")));
    const row = { operation, element, details: null };
    way.title = way.textContent;
    name.addEventListener("click", () => {
      const opened = name.getAttribute("aria-expanded") === "false";
      name.setAttribute("aria-expanded", String(opened));
      row.details?.remove();
      row.details = opened ? element.appendChild(this.inside(row.operation)) : null;
    });
    return row;
  }

  draw(row) {
    const { operation, element } = row;
    const [, , track, words] = element.firstChild.children;
    const here = now();
    const clock = (iso) => time(iso);
    const found = operation.steps.flatMap((step) => bars(step, clock)).map((bar) => this.bar(bar, here));
    const ahead = this.ahead(operation, here);
    track.replaceChildren(...found, ...(ahead ? [ahead] : []));
    const [tone, text] = told(operation);
    words.className = `told ${tone}`;
    if (words.textContent !== text) {
      setText(words, text);
      words.title = text;
      element.firstChild.firstChild.setAttribute("aria-label", `${operation.name}, ${operation.source} to ${operation.target}, ${stateWord(operation.state)}: ${text}`);
      if (row.details) row.details.replaceWith((row.details = this.inside(operation)));
    }
  }

  bar({ from, to, kind, label, title }, here) {
    const left = this.x(from);
    const width = Math.max((300 / this.width), this.x(to ?? here) - left);
    const fits = (width * this.width) / 100 > label.length * LABEL_PX + 6 || (label === "✕" && (width * this.width) / 100 > 14);
    const bar = h(`i.bar.st-${kind}`, { title }, fits ? label : "");
    bar.style.left = `${left.toFixed(3)}%`;
    bar.style.width = `${width.toFixed(3)}%`;
    return bar;
  }

  /** The dashed bar of what is to come. */
  ahead(operation, here) {
    if (this.run.ended_at) return null;
    const waiting = operation.state === "pending";
    const seconds = waiting ? operation.expected_s : underWay(operation) ? (current(operation)?.eta_s ?? 0) : 0;
    if (!seconds || (waiting && this.run.state !== "running")) return null;
    const left = this.x(here) + (waiting ? 0.3 : 0);
    const bar = h(`i.bar.st-${waiting ? "pending" : "ahead"}`, { title: waiting ? `expected to take ${duration(seconds)}` : `${duration(seconds)} left` });
    bar.style.left = `${left.toFixed(3)}%`;
    bar.style.width = `${Math.max(0.5, Math.min(99.7 - left, this.x(here + seconds * 1000) - left)).toFixed(3)}%`;
    return bar;
  }

  /** What a row opens: every step with its times and what was said about it. */
  inside({ steps, subject, note, expected_s: expected }) {
    return h("div.inside", {}, h("p.mute", {}, h("a", { href: this.store.at("map", subject) }, "on the map"), ` · ${plural(steps.length, "step")} · expected to take ${duration(expected)}`),
      h("ol.steps", {}, steps.map((step) => h("li", {}, h(`i.sw.st-${step.state === "intended" ? "running" : step.state}`), h("b", { dir: "auto" }, step.what),
        h("span", {}, stateWord(step.state) + (step.attempts > 1 ? `, attempt ${step.attempts}` : "")), h("span.mute", {}, span(step)),
        h("span", { dir: "auto" }, step.note)))), note && !steps.some((step) => step.note === note) && h("p", { dir: "auto" }, note));
  }
}

function span({ asked_at: asked, begun_at: begun, ended_at: ended }) {
  const from = begun ?? asked;
  if (!from) return ended ? `found done at ${time(ended)}` : "";
  return ended ? `${time(from)}–${time(ended)}, ${duration((Date.parse(ended) - Date.parse(from)) / 1000)}` : `since ${time(from)}`;
}

function at_(element, percent) {
  element.style.left = `${percent.toFixed(3)}%`;
  return element;
}
