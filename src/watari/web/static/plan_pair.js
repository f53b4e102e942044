// "Now" and "Predicted" side by side: the hosts that a plan changes, as the map draws them, each server in its place.

import { Cloud } from "./cloud.js";
import { h } from "./dom.js";
import { count, plural } from "./format.js";
import { drawRing } from "./flights.js";
import { layout } from "./layout.js";
import { colours, onTheme } from "./theme.js";
import { drawTiles, font, parts, rectangle } from "./tiles.js";
import { moveOf } from "./plan_facts.js";
import { View } from "./viewport.js";

const MOST = 400; // hosts; a plan that changes more is told by its numbers

/** The two pictures of a plan, or null where the live picture does not know its hosts. Call `close()` when done. */
export function pair(plan, picture) {
  const both = picture.cloud && sides(plan, picture.cloud.state);
  if (!both) return null;
  const { before, after, marks } = both;
  const [now, then] = [new Side(before, marks, "from"), new Side(after, marks, "to")];
  const all = picture.cloud.hosts.length - before.hosts.length;
  const rest = all ? `; ${count(all)} other${all === 1 ? " stays as it is" : "s stay as they are"}` : "";
  const element = h("div.pair", {},
    half("Now", `${plural(before.hosts.length, "host")} that ${before.hosts.length === 1 ? "changes" : "change"}${rest}`, now),
    half("Predicted", `after all ${count(plan.operations.length)}; dashed: where a server was; who stays is coloured by its host’s CPU`, then));
  const stop = onTheme(() => [now, then].forEach((side) => side.draw()));
  return {
    element,
    select: (operation) => [now, then].forEach((side) => side.select(operation)),
    close: () => {
      stop();
      now.close();
      then.close();
    },
  };
}

function half(name, words, side) {
  return h("section.card", {}, h("div.head", {}, h("h2", {}, name), h("span", {}, words)), side.box);
}

/** Two clouds of only the hosts that change, and per moved server where it was, where it will be, and its operation. */
function sides(plan, state) {
  const wanted = new Set([...plan.forecast.hosts.map(({ host }) => host), ...plan.operations.flatMap((o) => {
    const move = moveOf(o);
    return move ? [move.source, move.target] : [];
  })]);
  const hosts = state.hosts.flatMap((host, index) => (wanted.has(host.name) ? [index] : []));
  if (!hosts.length || hosts.length > MOST || wanted.size > hosts.length) return null;
  const before = new Cloud(part(state, hosts, plan, "before"));
  const after = new Cloud(part(state, hosts, plan, "after"));
  const marks = [];
  for (const [n, operation] of plan.operations.entries()) {
    const move = moveOf(operation);
    const server = before.state.servers.id.indexOf(operation.subject);
    if (!move || server < 0) continue;
    const [from, to] = [before.host(move.source), before.host(move.target)];
    if (before.where[server] !== from) continue; // it is elsewhere by now
    marks.push({ n: n + 1, operation, server, from, to, place: { ...before.hosts[from].places.get(server) } });
  }
  after.update({ placed: marks.map(({ server, to }) => [server, to]) });
  return { before, after, marks };
}

/** The part of a picture that is about some hosts. After the plan: moved servers as forecast, others by their host's CPU. */
function part(state, indices, plan, when) {
  const { servers, load, policy } = state;
  const place = new Map(indices.map((index, i) => [index, i]));
  const rows = servers.host.flatMap((host, row) => (place.has(host) ? [row] : []));
  const forecast = new Map(plan.forecast.hosts.map((host) => [host.host, host]));
  const moved = new Map(plan.operations.map((operation) => [operation.subject, operation.steal_after]));
  const cpu = indices.map((index) => {
    const told = forecast.get(state.hosts[index].name);
    return told ? Math.round(1000 * told[`cpu_${when}`]) : state.host_cpu[index];
  });
  const steal = (row) => {
    const told = forecast.get(state.hosts[servers.host[row]].name);
    if (when === "before" || load.steal[row] < 0) return load.steal[row];
    if (moved.has(servers.id[row])) return moved.get(servers.id[row]) === null ? load.steal[row] : Math.round(1000 * moved.get(servers.id[row]));
    if (!told || told.cpu_before <= told.cpu_after) return load.steal[row];
    return Math.round(load.steal[row] * Math.max(0, Math.min(1, (told.cpu_after - 1) / Math.max(0.001, told.cpu_before - 1))));
  };
  const columns = (column, change = (value) => value) => rows.map((row) => change(column[row]));
  const levels = rows.map(steal);
  const starved = new Set(state.starved.map(({ server }) => server));
  return {
    ...state, hosts: indices.map((index) => state.hosts[index]), host_cpu: cpu, flights: [],
    servers: {
      id: columns(servers.id), name: columns(servers.name), host: columns(servers.host, (host) => place.get(host)),
      vcpu: columns(servers.vcpu), memory_mib: columns(servers.memory_mib), role: columns(servers.role),
    },
    load: { ...load, steal: levels, per_vcpu: columns(load.per_vcpu) },
    starved: rows.flatMap((row, i) => (starved.has(row) && (when === "before" || levels[i] >= 1000 * policy.steal) ? [{ server: i }] : [])),
  };
}

/** One of the two pictures. */
class Side {
  constructor(cloud, marks, end) {
    Object.assign(this, { cloud, marks, end, chosen: null, view: new View() });
    this.canvas = h("canvas", { role: "img", "aria-label": `${end === "from" ? "Now" : "Predicted"}: the table of operations says the same as text` });
    this.box = h("div.small-map", {}, this.canvas);
    this.box.style.height = `${Math.min(520, 216 + 60 * Math.floor(cloud.hosts.length / 24))}px`;
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
  }

  close() {
    this.watch.disconnect();
  }

  select(operation) {
    if (this.chosen === operation) return;
    this.chosen = operation;
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    Object.assign(this.view, { width, height });
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const context = this.canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const plan = layout(this.cloud, width, height);
    drawTiles(context, this.cloud, plan, this.view);
    for (const mark of this.marks) this.mark(context, plan, mark);
  }

  mark(context, plan, mark) {
    const at = (host) => ({ tile: this.view.tile(plan, host), host: this.cloud.hosts[host] });
    const { tile, host } = at(mark[this.end]);
    if (mark.operation === this.chosen) drawRing(context, tile, { colour: colours.accent });
    const place = host.places.get(mark.server);
    if (place) frame(context, rectangle(parts(tile, host, this.cloud.row), place), String(mark.n), mark.operation === this.chosen);
    if (this.end === "from") return;
    const left = at(mark.from);
    const hole = rectangle(parts(left.tile, left.host, this.cloud.row), mark.place);
    context.strokeStyle = colours.accent;
    context.lineWidth = 1;
    context.setLineDash([2, 2]);
    context.strokeRect(hole.x + 0.5, hole.y + 0.5, hole.w - 1, hole.h - 1);
    context.setLineDash([]);
  }
}

/** A frame around a server that moves, with its operation's number where there is room. */
function frame(context, box, number, chosen) {
  context.strokeStyle = colours.accent;
  context.lineWidth = (box.w < 9 ? 1 : 2) + (chosen ? 1 : 0);
  context.strokeRect(box.x, box.y, box.w, box.h);
  context.font = font(10, true);
  const width = context.measureText(number).width + 4;
  if (box.w < width + 2 || box.h < 8) return;
  const left = box.x + (box.w - width) / (box.w > 40 ? 1 : 2); // a name may stand at the left
  context.fillStyle = colours.panel;
  context.fillRect(left, box.y, width, box.h);
  context.strokeRect(box.x, box.y, box.w, box.h);
  context.fillStyle = colours.ink;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(number, left + width / 2, box.y + box.h / 2 + 0.5);
}
