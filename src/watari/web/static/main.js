// Put the page together: the stream in, every part shown, addresses and keys.

import { chart } from "./chart.js";
import { Cloud } from "./cloud.js";
import { h, setText } from "./dom.js";
import { finder } from "./find.js";
import { NB, clock, duration, plural, wall } from "./format.js";
import { Inspector } from "./inspector.js";
import { CloudMap } from "./map.js";
import { moves } from "./moves.js";
import { listen } from "./stream.js";
import { strip, verdict } from "./strip.js";
import { STEPS, startTheme } from "./theme.js";

const SLOW_MS = 150; // text that people read changes a little less often than the map, and never lags behind it by much
const DETAILS_MS = 1500;
const at = (id) => document.getElementById(id);

let cloud = null;
let online = false;
let heard = 0; // when the last event came, performance.now()
let selected = -1;
let asked = 0;
let hidden = ""; // the notice that the reader has put away
let slow = 0;

startTheme(at("theme"));
const showStrip = strip(at("strip"));
const showChart = chart(at("day"));
const showMoves = moves(at("under-way"), (server) => open(server));
const inspector = new Inspector(at("inspector"), { select: (server) => open(server), close: () => close() });
const map = new CloudMap(at("box"), at("tiles"), at("canvas"), {
  select: (server) => open(server), clear: () => close(), say: (text) => setText(at("say"), text), tip: showTip,
});
finder(at("find"), at("found"), () => (cloud ? [["host", cloud.state.hosts.map(({ name }) => name)], ["server", cloud.state.servers.name]] : []),
  ({ kind, index }) => (kind === "host" ? visit(index) : open(index)));
legend();
listen({ state: receive, tick: change, online: connected });
setInterval(beat, 1000);

function receive(state) {
  heard = performance.now();
  cloud = new Cloud(state);
  document.title = `Watari · ${state.cloud} · Map`;
  setText(at("cloud"), state.cloud);
  setText(at("size"), `${plural(cloud.hosts.length, "host")} · ${plural(state.servers.id.length, "server")}`);
  at("empty").hidden = cloud.hosts.length > 0;
  setText(at("empty"), "This cloud has no hosts yet. They appear here as soon as nova-compute registers one.");
  at("canvas").setAttribute("aria-label", `Map of ${plural(cloud.hosts.length, "host")} and ${plural(state.servers.id.length, "server")}`);
  map.show(cloud);
  follow();
  showAll();
}

function change(_state, tick) {
  heard = performance.now();
  cloud.update(tick);
  map.update();
  showMoves(cloud);
  beat();
  if (tick.ended) showAll();
  else slow ||= setTimeout(showSlow, SLOW_MS);
}

function showAll() {
  showMoves(cloud);
  beat();
  showSlow();
}

function showSlow() {
  slow = 0;
  showStrip(cloud.state); // with the list below: their numbers are of one moment
  showChart(cloud.state);
  notice();
  if (selected < 0 && !asking()) inspector.list(cloud);
  else if (selected >= 0 && performance.now() - asked > DETAILS_MS) inspect();
}

// The top bar

function connected(yes) {
  online = yes;
  beat();
}

function beat() {
  const live = at("live");
  const ended = cloud?.state.ended;
  live.classList.toggle("off", !online && !ended);
  live.classList.toggle("ended", Boolean(ended));
  setText(at("live-text"), liveText(ended));
  if (!cloud) return;
  const { now, pace, time_zone: zone } = cloud.state;
  const passed = pace === 1 && online ? (performance.now() - heard) / 1000 : 0;
  const text = `${clock(wall(now) + passed, pace <= 60)}${NB}${zone}`;
  setText(at("clock"), text);
  at("clock").setAttribute("datetime", now);
  at("clock").title = now.slice(0, 10);
  at("pace").hidden = pace === 1;
  setText(at("pace"), "time lapse");
  at("pace").title = `a day in about ${duration(86_400 / pace)}; slower while servers move`;
}

function liveText(ended) {
  if (ended) return "The day is over";
  if (!cloud) return online ? "Waiting for the first reading" : "Connecting";
  if (!online) return `Offline since ${duration((performance.now() - heard) / 1000)}, reconnecting`;
  const { load, pace } = cloud.state;
  const waited = pace === 1 ? (performance.now() - heard) / 1000 : 0;
  return `Live, data ${duration(load.age_s + waited)} old`;
}

/** One line under the top bar: the final numbers, or a host that keeps silent. */
function notice() {
  const bar = at("notice");
  const found = message();
  const key = found?.key ?? "";
  if (bar.dataset.key === key && (key === "" || bar.dataset.key !== "ended")) return;
  bar.dataset.key = key;
  bar.hidden = !found || hidden === key;
  if (!found) return;
  const hide = h("button.link", { type: "button" }, "Hide");
  hide.addEventListener("click", () => {
    hidden = key;
    bar.hidden = true;
  });
  bar.className = `notice ${found.tone}`;
  bar.replaceChildren(h("p", {}, h("b", {}, found.title), " ", found.text), hide);
}

function message() {
  const { ended, policy } = cloud.state;
  if (ended) {
    const [title, text] = verdict(ended, policy.name);
    return { key: "ended", tone: "good", title, text };
  }
  const silent = cloud.hosts.filter((host) => host.silent && host.state !== "down");
  if (!silent.length) return null;
  const [first] = silent;
  const servers = silent.reduce((total, host) => total + host.servers.size, 0);
  const title = silent.length === 1 ? `${first.name} sends no steal data.` : `${silent.length} hosts send no steal data.`;
  const text = `${silent.length === 1 ? "Its" : "Their"} ${plural(servers, "server")} are drawn empty and are not moved`
    + (silent.length === 1 && first.state_note ? `: ${first.state_note}.` : ".");
  return { key: silent.map(({ name }) => name).join(" "), tone: "warn", title, text };
}

// Selection: every state is an address

function open(server) {
  const id = cloud.state.servers.id[server];
  const address = `#/map/${encodeURIComponent(id)}`;
  if (location.hash === address) inspect();
  else location.hash = address;
}

function close() {
  if (asking()) location.hash = "#/map";
}

function visit(host) {
  map.go(host);
  at("canvas").focus();
  map.announce(host);
}

/** The server id of the address, or "". */
function asking() {
  try {
    return decodeURIComponent(location.hash.slice("#/map/".length));
  } catch {
    return location.hash.slice("#/map/".length); // a stray % that no id of ours has
  }
}

function follow() {
  if (!cloud) return;
  const id = asking();
  const before = selected;
  selected = id ? cloud.state.servers.id.indexOf(id) : -1;
  if (selected >= 0) {
    map.select(selected);
    inspect();
  } else if (id) inspector.message(id, "This cloud has no server with that id. It may have been deleted.");
  else {
    map.select(-1);
    inspector.list(cloud);
    if (before >= 0) at("canvas").focus({ preventScroll: true });
  }
}

async function inspect() {
  const server = selected;
  const id = cloud.state.servers.id[server];
  asked = performance.now();
  let answer = null;
  try {
    answer = await fetch(`/api/servers/${encodeURIComponent(id)}`);
  } catch {
    if (inspector.shown !== id) inspector.message(cloud.state.servers.name[server], "Offline: its details come when the connection is back.");
    return;
  }
  if (server !== selected) return;
  if (!answer.ok) {
    inspector.message(cloud.state.servers.name[server], (await answer.json()).error);
    return;
  }
  const details = await answer.json();
  if (server !== selected) return;
  inspector.details(details, cloud);
  const ranked = details.candidates.filter(({ score }) => score !== null).slice(0, 3).map(({ host }) => cloud.host(host));
  map.select(server, ranked.filter((host) => host >= 0));
}

addEventListener("hashchange", follow);

// Keys and hints

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "/") at("find").focus();
  else if (event.key === "Escape") close();
  else if (event.key === "+" || event.key === "=") map.zoom(1.5);
  else if (event.key === "-" || event.key === "−") map.zoom(1 / 1.5);
  else if (event.key === "0") map.fit();
  else return;
  event.preventDefault();
});
at("zoom-in").addEventListener("click", () => map.zoom(1.5));
at("zoom-out").addEventListener("click", () => map.zoom(1 / 1.5));
at("zoom-fit").addEventListener("click", () => map.fit());
at("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address belongs to the selection
  at("canvas").focus();
});

function showTip(content, x, y) {
  const tip = at("tip");
  tip.hidden = !content;
  if (!content) return;
  const rows = content.rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
  tip.replaceChildren(h("b", {}, content.title), ...(content.note ? [h("p", {}, content.note)] : []), h("dl", {}, rows));
  tip.style.left = `${Math.min(x + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 12 : y + 18}px`;
}

function legend() {
  at("legend").append(...STEPS.map((name, step) => h("li", {}, h(`i.sw.s${step}`), name)),
    h("li", {}, h("i.sw.outlined"), "starved"), h("li.less", {}, h("i.sw.none"), "no data"),
    h("li.less", {}, h("i.lanes"), "CPU, memory"));
}
