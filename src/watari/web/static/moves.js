// "Moves under way": the arrows of the map as a list.

import { count, duration, percent, rate } from "./format.js";
import { h, keyed, setText } from "./dom.js";

const PHASES = { queued: "waits for its start", detach: "leaves its orchestrator", disk: "copies its disk",
  memory: "copies its memory", attach: "returns to its orchestrator" };
const MOST = 60; // rows; with more, the oldest are shown

/** Build the list in a <section>; the returned function shows the cloud's moves. */
export function moves(section, select) {
  const title = h("h2", { id: "under-way-title" }, "Moves under way");
  const size = h("span");
  const list = h("ol.flights");
  const none = h("p.mute");
  section.append(h("div.head", {}, title, size), list, none);
  return (cloud) => {
    const { flights, strip, policy, ended } = cloud.state;
    const budget = strip.budgets.find(({ name }) => name === "moves");
    const all = budget ? `${count(flights.length)} of ${count(budget.limit)}` : count(flights.length);
    setText(size, flights.length > MOST ? `the ${MOST} oldest of ${count(flights.length)}` : flights.length ? all : "");
    none.hidden = flights.length > 0;
    const next = `The next one starts when a server is starved for ${policy.hold_rounds} rounds and a better host has room.`;
    setText(none, ended ? "No server moves: the day is over." : `No server moves right now. ${next}`);
    keyed(list, flights.slice(0, MOST), ({ id }) => id, () => create(select), (row, flight) => update(row, flight, cloud));
  };
}

function create(select) {
  const row = h("button.flight", { type: "button" }, h("span.name", {}, h("b"), " ", h("span")), h("span.way"),
    h("span.meter", {}, h("i")), h("span.num"), h("span.num"));
  row.addEventListener("click", () => select(Number(row.dataset.server)));
  return h("li", {}, row);
}

function update(item, flight, cloud) {
  const row = item.firstChild;
  const [name, way, meter, speed, left] = row.children;
  const [from, to] = [cloud.hosts[flight.from], cloud.hosts[flight.to]];
  const share = flight.total_mib ? Math.min(1, flight.done_mib / flight.total_mib) : 0;
  row.dataset.server = flight.server;
  setText(name.firstChild, String(flight.n));
  setText(name.lastChild, cloud.state.servers.name[flight.server]);
  setText(way, `${from.name.length > 8 ? from.label : from.name} → ${to.label}`); // a move never leaves its zone
  meter.firstChild.style.width = `${(100 * share).toFixed(1)}%`;
  meter.classList.toggle("full", Boolean(flight.stalled_since));
  setText(speed, flight.rate_mib_s > 0 ? rate(flight.rate_mib_s) : "");
  setText(left, flight.stalled_since ? "stalled" : flight.eta_s === null ? flight.phase : duration(flight.eta_s));
  const attempt = flight.attempt > 1 ? `, attempt ${flight.attempt}` : "";
  row.title = `${from.name} → ${to.name}: ${PHASES[flight.phase]}, ${percent(share)}${attempt}`;
}
