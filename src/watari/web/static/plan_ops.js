// The operations of a plan, wave by wave: what, from where to where, what it brings and costs, and why.

import { h } from "./dom.js";
import { NB, count, duration, memory, percent, plural } from "./format.js";
import { because, chosen, copyWords, moveOf, pauseWords, stops, verbOf, waveSeconds, waves, way } from "./plan_facts.js";
import { roving } from "./rows.js";
import { level } from "./theme.js";
import { about, capital, card, sentence } from "./words.js";

const COLUMNS = [["#", "num"], ["Server", ""], ["From → to", ""], ["Steal, predicted", ""], ["Copy", "num"], ["Time", "num"], ["Reason", ""]];

/** The card of operations. `on.select(operation or null)` follows the pointer and the focus. */
export function operationsCard(plan, { store }, on) {
  const table = h("table.ops", {}, h("caption.sr", {}, "Operations in the order they start"),
    h("thead", {}, h("tr", {}, COLUMNS.map(([name, kind]) => h(kind ? `th.${kind}` : "th", { scope: "col" }, name)))));
  const numbers = new Map(plan.operations.map((operation, i) => [operation, i + 1]));
  const all = waves(plan);
  for (const [wave, operations] of all) {
    const body = h("tbody");
    if (all.length > 1) body.append(heading(wave, operations));
    for (const operation of operations) body.append(row(operation, numbers.get(operation), store, on));
    table.append(body);
  }
  roving(table, "button.op")();
  table.addEventListener("pointerleave", () => on.select(null));
  const note = h("span", {}, all.length > 1 ? `in the order they start, in ${count(all.length)} waves` : "in the order they start");
  return card(".operations", "Operations", note, table);
}

function heading(wave, operations) {
  return h("tr.wave", {}, h("th", { scope: "rowgroup", colspan: COLUMNS.length }, `Wave ${count(wave)}`,
    h("span", {}, `${plural(operations.length, "operation")} at once, ${about(waveSeconds(operations))}`)));
}

function row(operation, number, store, on) {
  const { name, subject, cost, waits_why: waits, waits_for: after } = operation;
  const move = moveOf(operation);
  const open = h("button.op", { type: "button", "aria-expanded": "false", "aria-label": `Operation ${number}, ${name}: candidates and steps` }, count(number));
  const server = move ? h("a", { href: store.at("map", subject), dir: "auto" }, name) : h("span", { dir: "auto" }, `${verbOf(operation)} ${name}`);
  const line = h("tr.operation", { "data-operation": operation.id }, h("td.num", {}, open), h("td.name", { title: name }, server), h("td.way", { dir: "auto", title: way(operation) }, way(operation)),
    h("td.steal", {}, steal(operation)), h("td.num", {}, copyWords(operation)),
    h("td.num", {}, duration(cost.seconds)), h("td.reason", {}, chips(operation),
      h("span.words", { dir: "auto" }, capital([because(operation), chosen(operation)].filter(Boolean).join("; "))),
      (waits || after.length > 0) && h("div.mute", {}, waitWords(after, waits))));
  let details = null;
  const toggle = () => {
    const opened = open.getAttribute("aria-expanded") === "false";
    open.setAttribute("aria-expanded", String(opened));
    details ??= line.parentNode.insertBefore(inside(operation), line.nextSibling);
    details.hidden = !opened;
  };
  open.addEventListener("click", toggle);
  line.addEventListener("click", (event) => event.target.closest("a, button") || getSelection().toString() || toggle());
  line.addEventListener("pointerenter", () => on.select(operation));
  line.addEventListener("focusin", () => on.select(operation));
  return line;
}

function waitWords(after, why) {
  const ids = after.length > 3 ? `${count(after.length)} operations` : `${after.length === 1 ? "operation" : "operations"} ${after.join(", ")}`;
  return `Waits${after.length ? ` for ${ids}` : ""}${why ? `: ${why}` : ""}`;
}

function steal({ steal_before: before, steal_after: after }) {
  if (before === null && after === null) return "–";
  const side = (share) => (share === null ? ["unknown"] : [h(`i.sw.s${level(Math.round(share * 1000))}`), ` ${percent(share)}`]);
  return h("span", {}, side(before), " → ", side(after));
}

function chips(operation) {
  const { cost, destructive } = operation;
  if (stops(operation)) return [h("span.chip.bad", {}, `stops the server${cost.downtime_s >= 1 ? ` for ${duration(cost.downtime_s)}` : ""}`), " "];
  if (destructive) return [h("span.chip.bad", {}, "destructive"), " "];
  return cost.downtime_s >= 1 ? [h("span.chip", {}, `pauses it for ${pauseWords(cost.downtime_s)}`), " "] : [];
}

/** What a row opens: its steps, and every candidate with what it won or lost by. */
function inside(operation) {
  const { steps, candidates, vcpus, role, zone, cost } = operation;
  const facts = [vcpus && `${count(vcpus)}${NB}vCPU`, role && `role ${role}`, zone, cost.downtime_s > 0 && cost.downtime_s < 1 && `pauses for ${pauseWords(cost.downtime_s)}`];
  return h("tr.inside", {}, h("td", { colspan: COLUMNS.length },
    h("p.mute", {}, facts.filter(Boolean).join(" · ")),
    h("p", { dir: "auto" }, capital(sentence(because(operation)))),
    steps.length > 0 && h("div", {}, h("h3", {}, "Steps"), h("ol.steps", {}, steps.map((step) => h("li", { dir: "auto" }, stepWords(step))))),
    candidates.length > 0 && h("div", {}, h("h3", {}, "Hosts that were weighed", h("small", {}, " lowest score wins")), h("ol.candidates", {}, candidates.map(candidate)))));
}

function stepWords({ verb, source, target, host, reason, orchestrator, member, deadline_s: deadline, bandwidth_mib_s: limit }) {
  if (source) return `${verb} ${source} → ${target}${limit ? `, at most ${count(limit)}${NB}MiB/s` : ""}`;
  if (orchestrator) return `${verb} ${member} ${verb === "detach" ? "from" : "to"} ${orchestrator}, within ${duration(deadline)}`;
  return `${verb} ${host}${reason ? `: ${reason}` : ""}`;
}

/** A host that was weighed: rank, numbers, what it won or lost by. Also used for refusals. */
export function candidate({ host, score, steal: share, same_role: same, free_mib: free, cpu_after: cpu, why }, n) {
  const out = score === null;
  const numbers = [share === null ? "" : `steal ${percent(share)}`, `CPU ${percent(cpu)}`, `${count(same)} of its role`, `${memory(free)} free`].filter(Boolean).join(", ");
  return h(n === 0 && !out ? "li.first" : "li", {}, h("span.rank", {}, out ? "–" : String(n + 1)), h("b", { dir: "auto" }, host),
    h("span.mute", {}, numbers), h("span.num", {}, out ? "ruled out" : score.toFixed(2)), why && h("p", {}, why));
}
