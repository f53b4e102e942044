// The CPU of every host that a plan changes, before and after, as bars with their numbers.

import { h } from "./dom.js";
import { count, percent } from "./format.js";
import { card } from "./words.js";

const FULL = 1.5; // the end of a bar; the line at 1 is all of a host's threads
const MOST = 60;

/** A card of bars, worst first; null where nothing is forecast. */
export function hostBars({ forecast: { hosts } }) {
  if (!hosts.length) return null;
  const worst = [...hosts].sort((a, b) => b.cpu_before - a.cpu_before || a.host.localeCompare(b.host));
  const shown = worst.slice(0, MOST);
  const more = worst.length > MOST ? h("p.mute.more", {}, `and ${count(worst.length - MOST)} more with less to do.`) : null;
  const note = h("span", {}, "of its threads; the line is all of them");
  return card(".hosts", "CPU of the hosts that change", note, h("ol.cpus", {}, shown.map(hostRow)), more);
}

function hostRow({ host, cpu_before: before, cpu_after: after, starved_before: was, starved_after: will }) {
  const starved = was || will ? `${count(was)} → ${count(will)} starved` : "";
  return h("li", {}, h("b", { dir: "auto" }, host), h("span.two-bars", { "aria-hidden": "true" }, bar(before, ".before"), bar(after, ".after")),
    h("span.num", {}, `${percent(before)} → `, h("b", {}, percent(after))), h("span.num.mute", {}, starved));
}

function bar(share, kind) {
  const fill = h("i");
  fill.style.width = `${Math.min(100, (100 * share) / FULL).toFixed(1)}%`;
  return h(`span.cpu${kind}${share > 1 ? ".over" : ""}`, {}, fill);
}
