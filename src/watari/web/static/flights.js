// The upper layer of the map: moves as arrows with their progress, the selection, the cursor.

import { duration, percent, rate } from "./format.js";
import { NEAR } from "./layout.js";
import { colours } from "./theme.js";
import { font, parts, rectangle } from "./tiles.js";

const LINGER_MS = 700; // a move that is over stays visible this long: on a fast clock it would only flash
const WORDY = 14; // with more moves than this, pills carry only the number and the share
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Keeps what each move looked like, so that its bird glides from one reading to the next. */
export class Flights {
  constructor() {
    this.shown = new Map();
  }

  /** Take in the moves of a new reading. */
  update(flights, now) {
    const there = new Set();
    for (const flight of flights) {
      there.add(flight.id);
      const share = flight.total_mib > 0 ? Math.min(1, flight.done_mib / flight.total_mib) : 0;
      const known = this.shown.get(flight.id);
      const from = known ? this.share(known, now) : 0;
      const took = known ? Math.min(1500, now - known.at) : 250;
      this.shown.set(flight.id, { flight, from, share, at: now, took, gone: null });
    }
    for (const [id, known] of this.shown) {
      if (there.has(id)) continue;
      if (known.gone === null) Object.assign(known, { gone: now, from: this.share(known, now), share: 1, at: now, took: 300 });
      if (still.matches || now - known.gone > LINGER_MS) this.shown.delete(id);
    }
  }

  /** Does anything move between readings? */
  get lively() {
    return this.shown.size > 0 && !still.matches;
  }

  share(known, now) {
    if (still.matches) return known.share;
    return known.from + (known.share - known.from) * Math.min(1, (now - known.at) / Math.max(1, known.took));
  }

  /** The screen point of a flight's pill or arrow near `x, y`, for the pointer. */
  at(x, y) {
    for (const { pill, flight } of this.shown.values()) {
      if (pill && x >= pill.x && x <= pill.x + pill.w && y >= pill.y && y <= pill.y + pill.h) return flight;
    }
    return null;
  }

  draw(context, cloud, plan, view, now, selected) {
    for (const [id, known] of this.shown) {
      if (known.gone !== null && now - known.gone > LINGER_MS) this.shown.delete(id);
    }
    if (plan.tileW * view.k < NEAR) return;
    const drawn = [...this.shown.values()].filter(({ flight }) => cloud.hosts[flight.from] && cloud.hosts[flight.to]);
    for (const known of drawn) {
      known.pill = null;
      known.way = way(cloud, plan, view, known.flight);
      context.globalAlpha = this.strength(known, now, selected);
      drawArrow(context, known.way, this.share(known, now), ink(known.flight), known.gone === null);
    }
    const taken = [];
    context.globalAlpha = 1;
    const worded = drawn.filter(({ gone, flight }) => gone === null && (selected < 0 || flight.server === selected));
    for (const known of worded.sort((a, b) => a.flight.n - b.flight.n)) drawPill(context, known, taken, view, drawn.length);
  }

  strength({ flight, gone }, now, selected) {
    if (gone !== null) return 0.6 * Math.max(0, 1 - (now - gone) / LINGER_MS);
    return selected >= 0 && flight.server !== selected ? 0.35 : 1;
  }
}

/** A ring around a tile, with a rank for a candidate: the first solid, the others dashed. */
export function drawRing(context, tile, { rank = 0, colour = colours.ink } = {}) {
  context.strokeStyle = colour;
  context.lineWidth = rank > 1 ? 1.5 : 2;
  context.setLineDash(rank > 1 ? [4, 3] : []);
  context.strokeRect(tile.x - 1.5, tile.y - 1.5, tile.w + 3, tile.h + 3);
  context.setLineDash([]);
  if (rank) badge(context, tile.x + tile.w, tile.y, String(rank), colour, 8);
}

const ink = (flight) => (flight.stalled_since ? colours.warn : colours.accent);

function way(cloud, plan, view, flight) {
  const from = centre(cloud, plan, view, flight.from, flight.server);
  const to = centre(cloud, plan, view, flight.to, ~flight.server);
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const bend = Math.min(0.16 * length, 46);
  const side = dx >= 0 ? 1 : -1; // bows upwards, as a flight does
  const middle = { x: (from.x + to.x) / 2 + (dy / length) * bend * side, y: (from.y + to.y) / 2 - (dx / length) * bend * side };
  return { from, middle, to };
}

/** The middle of a server's place on a host; of the host's body once it has left. */
function centre(cloud, plan, view, index, key) {
  const host = cloud.hosts[index];
  const tile = view.tile(plan, index);
  const part = parts(tile, host, cloud.row);
  const place = host.places.get(key) ?? host.places.get(~key);
  if (!place) return { x: tile.x + tile.w / 2, y: tile.y + tile.h / 2, box: null };
  const box = rectangle(part, place);
  return { x: box.x + box.w / 2, y: box.y + box.h / 2, box };
}

const mix = (a, b, t) => ({ x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t });

function drawArrow(context, { from, middle, to }, share, colour, hole) {
  const first = mix(from, middle, share);
  const second = mix(middle, to, share);
  const bird = mix(first, second, share);
  curve(context, bird, second, to, colours.panel, 3.5, []);
  curve(context, bird, second, to, colour, 1.5, [4, 3]);
  curve(context, from, first, bird, colours.panel, 4.5, []);
  curve(context, from, first, bird, colour, 2, []);
  if (hole && to.box) {
    context.fillStyle = colours.panel;
    context.fillRect(to.box.x, to.box.y, to.box.w, to.box.h);
    context.setLineDash([3, 2]);
    context.lineWidth = 1.25;
    context.strokeRect(to.box.x + 0.5, to.box.y + 0.5, to.box.w - 1, to.box.h - 1);
    context.setLineDash([]);
  }
  dot(context, from, 2.5, colour, colour);
  dot(context, to, 3.5, colours.panel, colour);
  drawBird(context, bird, Math.atan2(second.y - first.y, second.x - first.x), colour);
}

function curve(context, a, b, c, stroke, width, dash) {
  context.strokeStyle = stroke;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(a.x, a.y);
  context.quadraticCurveTo(b.x, b.y, c.x, c.y);
  context.stroke();
  context.setLineDash([]);
}

function dot(context, { x, y }, radius, fill, stroke) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = stroke;
  context.lineWidth = 1.5;
  context.stroke();
}

/** A bird from above: a swept wing that points where it flies. */
function drawBird(context, { x, y }, angle, colour) {
  context.save();
  context.translate(x, y);
  context.rotate(angle);
  context.beginPath();
  context.moveTo(7, 0);
  context.quadraticCurveTo(0, -2, -5, -6.5);
  context.quadraticCurveTo(-3, 0, -5, 6.5);
  context.quadraticCurveTo(0, 2, 7, 0);
  context.closePath();
  context.lineJoin = "round";
  context.lineWidth = 2.5;
  context.strokeStyle = colours.panel;
  context.stroke();
  context.fillStyle = colour;
  context.fill();
  context.restore();
}

function drawPill(context, known, taken, view, number) {
  const { flight, share, way: { to } } = known;
  if (!view.shows({ x: to.x, y: to.y, w: 1, h: 1 })) return; // its end is out of view: the arrow points there
  const left = flight.stalled_since ? "stalled" : flight.eta_s === null ? flight.phase : `${duration(flight.eta_s)} left`;
  const speed = view.k > 2 ? [rate(flight.rate_mib_s)] : [];
  const words = number > WORDY || view.width < 560 ? [percent(share)] : [percent(share), ...speed, left];
  const text = words.join(" · ");
  context.font = font(12);
  const w = context.measureText(text).width + 32;
  const box = free(to, w, 20, taken, view);
  taken.push(box);
  known.pill = box;
  const colour = ink(flight);
  context.beginPath();
  context.roundRect(box.x, box.y, box.w, box.h, 10);
  context.fillStyle = colours.panel;
  context.fill();
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.stroke();
  badge(context, box.x + 9.5, box.y + 10, String(flight.n), colour, 9);
  context.fillStyle = colours.ink;
  context.textAlign = "left";
  context.font = font(12);
  context.fillText(text, box.x + 23, box.y + 10.5);
}

/** A box near `to` that covers no other pill, if there is one. */
function free(to, w, h, taken, view) {
  const offsets = [[-w / 2, -h - 9], [-w / 2, 9], [10, -h / 2], [-w - 10, -h / 2], [-w / 2, -2 * h - 12], [-w / 2, h + 13]];
  let first = null;
  for (const [dx, dy] of offsets) {
    const x = Math.max(2, Math.min(view.width - w - 2, to.x + dx));
    const y = Math.max(2, Math.min(view.height - h - 2, to.y + dy));
    const box = { x, y, w, h };
    first ??= box;
    const hits = (o) => x < o.x + o.w + 2 && o.x < x + w + 2 && y < o.y + o.h + 2 && o.y < y + h + 2;
    if (!taken.some(hits)) return box;
  }
  return first;
}

function badge(context, x, y, text, colour, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = colour;
  context.fill();
  context.fillStyle = colours["on-accent"];
  context.font = font(11, true);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + 0.5);
}
