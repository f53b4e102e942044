// The lower layer of the map: zones, hosts as tiles, servers as rectangles, drawn colour by colour.

import { NB, percent, plural } from "./format.js";
import { NEAR } from "./layout.js";
import { colours, level, steps } from "./theme.js";

const SANS = getComputedStyle(document.documentElement).getPropertyValue("--sans");
const LABELS = 50; // px of tile width from which hosts carry their label
const NAME = 62; // px of rectangle width from which servers carry their name
const STEAL = 118;
const WORDS = { disabled: "disabled", draining: "draining", down: "✕ down" };

export const font = (size, bold = false) => `${bold ? "600 " : ""}${size}px ${SANS}`;

/** What a host is marked with: its state's word, "no data", or "". */
export const mark = (host) => WORDS[host.state] ?? (host.silent ? "no data" : "");

/** The parts of a tile on screen: `body` holds `rows` rows of servers, `unit` px per vCPU. */
export function parts(tile, host, row) {
  const head = tile.w >= LABELS ? Math.min(0.22 * tile.h, 15) : 0.06 * tile.h;
  const lane = Math.max(1, Math.min(2.5, 0.045 * tile.h));
  const foot = tile.h < 20 ? 0 : 2 * lane + Math.min(5, 0.09 * tile.h);
  const inset = Math.min(3, 0.03 * tile.w);
  return {
    x: tile.x + inset, y: tile.y + head, unit: (tile.w - 2 * inset) / row, line: (tile.h - head - foot) / host.rows,
    width: tile.w - 2 * inset, head, lane, foot,
  };
}

/** The rectangle of a place on a tile. */
export function rectangle(part, place) {
  const gap = part.line < 6 ? 0.5 : 1;
  return {
    x: part.x + place.x * part.unit, y: part.y + place.y * part.line,
    w: Math.max(1, place.w * part.unit - gap), h: Math.max(1, part.line - gap),
  };
}

/** Draw everything that is in view. `view` turns the layout's coordinates into pixels. */
export function drawTiles(context, cloud, plan, view) {
  context.clearRect(0, 0, view.width, view.height);
  const near = plan.tileW * view.k >= NEAR;
  if (near) drawNear(context, cloud, plan, view);
  else drawFar(context, cloud, plan, view);
  drawHeadings(context, plan, view, near);
}

/** A cell per host. Ten thousand of them: plain numbers, one list per colour, no object per cell. */
function drawFar(context, cloud, { tiles, racks }, view) {
  const batches = Array.from({ length: 5 }, () => []);
  const marked = [];
  for (const host of cloud.hosts) (mark(host) ? marked : batches[level(Math.max(0, host.seen))]).push(host.index * 4);
  const { k, tx, ty } = view;
  const draw = (at, inset, paint) => {
    const x = tiles[at] * k + tx, y = tiles[at + 1] * k + ty, w = tiles[at + 2] * k, h = tiles[at + 3] * k;
    if (x < view.width && y < view.height && x + w > 0 && y + h > 0) paint(x + inset, y + inset, w - 2 * inset, h - 2 * inset);
  };
  batches.forEach((cells, step) => {
    context.fillStyle = steps()[step];
    for (const at of cells) draw(at, 0, (x, y, w, h) => context.fillRect(x, y, w, h));
  });
  context.lineWidth = 1;
  for (const at of marked) {
    context.strokeStyle = cloud.hosts[at / 4].state === "down" ? colours.bad : colours.edge;
    draw(at, 0.5, (x, y, w, h) => context.strokeRect(x, y, w, h));
  }
  drawRackNumbers(context, racks, view);
}

function drawRackNumbers(context, racks, view) {
  context.font = font(10, true);
  context.fillStyle = colours.ink;
  context.textAlign = "right";
  context.textBaseline = "alphabetic";
  for (const rack of racks) {
    const starved = rack.hosts.reduce((total, host) => total + host.starved, 0);
    const { x, y, w, h } = view.box(rack);
    if (starved && view.shows({ x, y, w, h: 20 })) context.fillText(String(starved), x + w, y + h - 2);
  }
}

function drawNear(context, cloud, plan, view) {
  const shown = cloud.hosts.filter((host) => view.shows(view.tile(plan, host.index)));
  const batches = Array.from({ length: 5 }, () => []);
  const blank = [], starved = [], named = [];
  for (const host of shown) {
    const tile = view.tile(plan, host.index);
    const part = parts(tile, host, cloud.row);
    drawTile(context, host, tile);
    if (host.state !== "up" || host.silent) drawFree(context, host, tile, part);
    drawLanes(context, host, tile, part);
    if (tile.w >= LABELS) drawLabel(context, host, tile, part);
    for (const server of host.servers) {
      const box = rectangle(part, host.places.get(server));
      const step = level(host.state === "down" ? -1 : cloud.steal(server));
      (step < 0 ? blank : batches[step]).push(box);
      if (cloud.starved.has(server)) starved.push(box);
      if (box.w > NAME && box.h >= 11) named.push([server, box, step]);
    }
  }
  batches.forEach((boxes, step) => {
    context.fillStyle = steps()[step];
    for (const box of boxes) context.fillRect(box.x, box.y, box.w, box.h);
  });
  outline(context, blank, colours.edge, 1, colours.panel);
  outline(context, starved, colours.ink, 1.5);
  drawNames(context, cloud, named);
}

function drawTile(context, host, tile) {
  context.fillStyle = colours.panel;
  context.fillRect(tile.x, tile.y, tile.w, tile.h);
  context.strokeStyle = host.state === "down" ? colours.bad : colours.line;
  context.lineWidth = 1;
  context.strokeRect(tile.x + 0.5, tile.y + 0.5, tile.w - 1, tile.h - 1);
}

/** Hatch what cannot be used: the whole body of a host that takes nothing. */
function drawFree(context, host, tile, part) {
  context.save();
  context.beginPath();
  context.rect(part.x, part.y, part.width, part.line * host.rows);
  context.clip();
  context.strokeStyle = colours.edge;
  context.globalAlpha = 0.3;
  context.lineWidth = 1;
  context.beginPath();
  for (let x = part.x - tile.h; x < part.x + tile.w; x += 4) {
    context.moveTo(x, tile.y + tile.h);
    context.lineTo(x + tile.h, tile.y);
  }
  context.stroke();
  context.restore();
}

/** CPU above, memory below; CPU turns warm when more is asked for than there is. */
function drawLanes(context, host, tile, part) {
  if (part.foot < 4) return;
  const y = tile.y + tile.h - part.foot + Math.min(1.5, part.foot * 0.2);
  const cpu = host.cpu < 0 ? 0 : Math.min(1, host.cpu / 1000);
  context.fillStyle = colours.sunk;
  context.fillRect(part.x, y, part.width, part.lane);
  context.fillRect(part.x, y + part.lane + 1, part.width, part.lane);
  context.fillStyle = host.cpu > 1000 ? colours.s3 : colours["ink-2"];
  context.fillRect(part.x, y, part.width * cpu, part.lane);
  context.fillStyle = colours.edge;
  context.fillRect(part.x, y + part.lane + 1, part.width * Math.min(1, host.memory / Math.max(1, host.memory_mib)), part.lane);
}

function drawLabel(context, host, tile, part) {
  const baseline = tile.y + Math.min(part.head - 2.5, 11.5);
  const size = tile.w < 64 ? 10 : 11;
  context.textBaseline = "alphabetic";
  context.textAlign = "right";
  context.font = font(size);
  const word = mark(host);
  const steal = host.starved ? percent(host.steal / 1000) : "";
  context.fillStyle = host.state === "down" ? colours.bad : word ? colours.warn : colours["ink-2"];
  const right = word || steal;
  const room = tile.w - 8 - (right ? context.measureText(right).width + 4 : 0);
  if (right) context.fillText(right, tile.x + tile.w - 3, baseline);
  context.textAlign = "left";
  context.font = font(size, host.starved > 0);
  context.fillStyle = host.starved ? colours.ink : colours["ink-3"];
  const text = clip(context, tile.w > 130 ? host.name : host.label, room);
  context.fillText(text, tile.x + 3, baseline);
}

function outline(context, boxes, stroke, width, fill = null) {
  context.strokeStyle = stroke;
  context.lineWidth = width;
  for (const { x, y, w, h } of boxes) {
    if (fill) {
      context.fillStyle = fill;
      context.fillRect(x, y, w, h);
    }
    context.strokeRect(x + width / 2, y + width / 2, Math.max(0, w - width), Math.max(0, h - width));
  }
}

function drawNames(context, cloud, named) {
  context.textBaseline = "middle";
  context.font = font(11);
  for (const [server, box, step] of named) {
    context.fillStyle = step < 0 ? colours["ink-2"] : onStep(step);
    let room = box.w - 8;
    if (box.w > STEAL && step >= 0) {
      const text = percent(cloud.steal(server) / 1000);
      context.textAlign = "right";
      context.fillText(text, box.x + box.w - 4, box.y + box.h / 2 + 0.5);
      room -= context.measureText(text).width + 6;
    }
    context.textAlign = "left";
    context.fillText(clip(context, cloud.state.servers.name[server], room), box.x + 4, box.y + box.h / 2 + 0.5);
  }
}

function drawHeadings(context, plan, view, near) {
  context.textBaseline = "alphabetic";
  for (const heading of plan.zones) {
    const box = view.box(heading);
    if (!view.shows({ ...box, h: box.h + 4 })) continue;
    const { zone } = heading;
    const y = box.y + box.h - 7;
    const steal = zone.weight ? ` · steal${NB}${percent(zone.stolen / zone.weight / 1000)}` : "";
    const right = `${zone.starved} starved${near ? steal : ` · ${zone.moving} moving`}`;
    context.font = font(13, true);
    context.textAlign = "left";
    context.fillStyle = colours.ink;
    context.fillText(zone.name, box.x, y);
    const middle = box.x + context.measureText(zone.name).width + 16;
    context.font = font(12);
    context.textAlign = "right";
    const rest = box.x + box.w - context.measureText(right).width - 12 - middle;
    context.fillStyle = zone.starved ? colours.ink : colours["ink-2"];
    context.fillText(right, box.x + box.w, y);
    const size = `${plural(zone.hosts.length, "host")} · ${plural(zone.servers, "server")}`;
    context.textAlign = "left";
    context.fillStyle = colours["ink-3"];
    if (rest > context.measureText(size).width) context.fillText(size, middle, y);
  }
}

/** White or near-black, whichever reads better on a step of the ramp (at least 4.9 : 1 on all of them). */
function onStep(step) {
  const [r, g, b] = steps()[step].match(/[\d.]+/g).map((channel) => (Number(channel) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#101820" : "#ffffff";
}

function clip(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 0 && context.measureText(`${text.slice(0, length)}…`).width > room) length -= 1;
  return length > 0 ? `${text.slice(0, length)}…` : "";
}
