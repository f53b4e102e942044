// The map: two canvases, zoom and pan, pointer and keys. What is drawn lives in tiles.js and flights.js.

import { Flights, drawRing } from "./flights.js";
import { percent, plural } from "./format.js";
import { NEAR, layout } from "./layout.js";
import { colours, onTheme } from "./theme.js";
import { drawTiles, mark, parts, rectangle } from "./tiles.js";
import { hostTip, serverTip } from "./tips.js";
import { View } from "./viewport.js";

const FRAME_MS = 100; // the upper layer's motion: ten times a second is enough for a bird
const CLICK_PX = 5;

/** `on.select(server index)`, `on.clear()`, `on.say(text)`, `on.tip(content or null, x, y)`. */
export class CloudMap {
  constructor(box, lower, upper, on) {
    Object.assign(this, { box, lower, upper, on, cloud: null, plan: null, cursor: -1, selected: -1, ranks: [] });
    this.view = new View();
    this.flights = new Flights();
    this.pointers = new Map();
    this.due = { lower: false, upper: false };
    this.last = 0;
    new ResizeObserver(() => this.resize()).observe(box);
    onTheme(() => this.redraw());
    this.listen();
  }

  /** A new full state. Zoom and selection stay where the cloud still has the same hosts. */
  show(cloud) {
    const same = this.cloud?.hosts.length === cloud.hosts.length;
    this.cloud = cloud;
    if (!same) {
      this.view.fit();
      this.cursor = -1;
    }
    this.flights.update(cloud.state.flights, performance.now());
    this.resize();
  }

  /** The cloud changed. */
  update() {
    this.flights.update(this.cloud.state.flights, performance.now());
    this.redraw();
  }

  /** Ring a server and rank its candidates (host indices, best first); -1 clears. */
  select(server, ranks = []) {
    Object.assign(this, { selected: server, ranks });
    this.redraw();
  }

  zoom(factor) {
    this.view.zoom(factor);
    this.moved();
  }

  fit() {
    this.view.fit();
    this.moved();
  }

  /** Bring a host into view, near enough to see its servers. */
  go(index) {
    const near = (NEAR * 2) / (this.plan.tileW * this.view.k);
    if (this.plan.tileW * this.view.k < NEAR) this.view.zoom(near * 1.5);
    const tile = this.view.tile(this.plan, index);
    const hidden = tile.x < 0 || tile.y < 0 || tile.x + tile.w > this.view.width || tile.y + tile.h > this.view.height;
    if (hidden) this.view.pan(this.view.width / 2 - tile.x - tile.w / 2, this.view.height / 2 - tile.y - tile.h / 2);
    this.cursor = index;
    this.moved();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!width || !height) return;
    const scale = devicePixelRatio || 1;
    Object.assign(this.view, { width, height });
    for (const canvas of [this.lower, this.upper]) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
    }
    if (this.cloud) this.plan = layout(this.cloud, width, height);
    this.view.clamp();
    this.moved();
  }

  moved() {
    this.upper.style.touchAction = this.view.k > 1 ? "none" : "pan-y";
    this.redraw();
  }

  redraw() {
    Object.assign(this.due, { lower: true, upper: true });
    this.frame();
  }

  frame() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => {
      this.waiting = false;
      if (!this.plan) return;
      if (this.due.lower) drawTiles(this.lower.getContext("2d"), this.cloud, this.plan, this.view);
      if (this.due.upper || now - this.last >= FRAME_MS) {
        this.drawUpper(now);
        this.last = now;
      }
      Object.assign(this.due, { lower: false, upper: false });
      if (this.flights.lively && !document.hidden) this.frame();
    });
  }

  drawUpper(now) {
    const context = this.upper.getContext("2d");
    const { cloud, plan, view } = this;
    context.clearRect(0, 0, view.width, view.height);
    context.textBaseline = "middle";
    this.flights.draw(context, cloud, plan, view, now, this.selected);
    if (this.selected >= 0) this.drawSelection(context);
    if (this.cursor >= 0 && document.activeElement === this.upper) {
      drawRing(context, view.tile(plan, this.cursor), { colour: colours.accent });
    }
  }

  drawSelection(context) {
    const { cloud, plan, view } = this;
    const host = cloud.hosts[cloud.where[this.selected]];
    const tile = view.tile(plan, host.index);
    drawRing(context, tile);
    this.ranks.forEach((index, rank) => drawRing(context, view.tile(plan, index), { rank: rank + 1, colour: colours.accent }));
    if (tile.w < NEAR) return;
    const box = rectangle(parts(tile, host, cloud.row), host.places.get(this.selected));
    context.strokeStyle = colours.panel;
    context.lineWidth = 1;
    context.strokeRect(box.x - 0.5, box.y - 0.5, box.w + 1, box.h + 1);
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    context.strokeRect(box.x - 2, box.y - 2, box.w + 4, box.h + 4);
  }

  // What lies under a point

  hostAt(x, y) {
    const { tiles } = this.plan;
    const wx = (x - this.view.tx) / this.view.k;
    const wy = (y - this.view.ty) / this.view.k;
    for (let i = 0; i < tiles.length; i += 4) {
      if (wx >= tiles[i] && wx <= tiles[i] + tiles[i + 2] && wy >= tiles[i + 1] && wy <= tiles[i + 1] + tiles[i + 3]) return i / 4;
    }
    return -1;
  }

  serverAt(index, x, y) {
    const tile = this.view.tile(this.plan, index);
    if (tile.w < NEAR) return -1;
    const host = this.cloud.hosts[index];
    const part = parts(tile, host, this.cloud.row);
    for (const server of host.servers) {
      const box = rectangle(part, host.places.get(server));
      if (x >= box.x && x <= box.x + box.w + 1 && y >= box.y && y <= box.y + box.h + 1) return server;
    }
    return -1;
  }

  // Pointer

  listen() {
    const { upper } = this;
    upper.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.offsetX, event.offsetY);
      this.moved();
    }, { passive: false });
    upper.addEventListener("pointerdown", (event) => this.down(event));
    upper.addEventListener("pointermove", (event) => this.move(event));
    upper.addEventListener("pointerup", (event) => this.up(event));
    upper.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    upper.addEventListener("pointerleave", () => this.on.tip(null));
    upper.addEventListener("keydown", (event) => this.key(event));
    upper.addEventListener("focus", () => this.redraw());
    upper.addEventListener("blur", () => this.redraw());
    document.addEventListener("visibilitychange", () => this.redraw());
  }

  down(event) {
    if (event.button !== 0) return;
    this.upper.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    this.travelled = this.pointers.size > 1 ? Infinity : 0;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    const { offsetX: x, offsetY: y } = event;
    if (!before) return this.hover(x, y, event);
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (others.length) {
      const [other] = others;
      const spread = Math.hypot(x - other.x, y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
      this.view.zoom(spread, (x + other.x) / 2, (y + other.y) / 2);
    } else if (this.view.k > 1) this.view.pan(x - before.x, y - before.y);
    this.travelled += Math.hypot(x - before.x, y - before.y);
    this.pointers.set(event.pointerId, { x, y });
    this.on.tip(null);
    return this.moved();
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.plan || this.travelled > CLICK_PX) return;
    const { offsetX: x, offsetY: y } = event;
    const flight = this.flights.at(x, y);
    const index = this.hostAt(x, y);
    if (flight) return this.on.select(flight.server);
    if (index < 0) return this.on.clear();
    const server = this.serverAt(index, x, y);
    this.cursor = index;
    if (server >= 0) return this.on.select(server);
    const { w } = this.view.tile(this.plan, index);
    if (w < 90) this.view.zoom(w < NEAR ? (NEAR * 2.5) / w : 2.2, x, y);
    return this.moved();
  }

  hover(x, y, event) {
    if (!this.plan || event.pointerType === "touch") return;
    const index = this.hostAt(x, y);
    const flight = this.flights.at(x, y);
    const server = flight ? flight.server : index < 0 ? -1 : this.serverAt(index, x, y);
    const content = server >= 0 ? serverTip(this.cloud, server) : index >= 0 ? hostTip(this.cloud, this.cloud.hosts[index]) : null;
    this.upper.style.cursor = server >= 0 ? "pointer" : "";
    this.on.tip(content, event.clientX, event.clientY);
  }

  // Keys

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.plan) return;
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (directions[event.key]) this.step(...directions[event.key]);
    else if (event.key === "Enter" && this.cursor >= 0) {
      const worst = this.cloud.worst(this.cloud.hosts[this.cursor]);
      if (worst >= 0) this.on.select(worst);
      else this.on.say("No server on this host");
    } else return;
    event.preventDefault();
  }

  /** To the nearest host in a direction. */
  step(dx, dy) {
    if (this.cursor < 0) return this.announce(0);
    const { tiles } = this.plan;
    const centre = (index) => [tiles[index * 4] + tiles[index * 4 + 2] / 2, tiles[index * 4 + 1] + tiles[index * 4 + 3] / 2];
    const [x, y] = centre(this.cursor);
    let best = -1;
    let least = Infinity;
    for (let index = 0; index < this.cloud.hosts.length; index += 1) {
      const [ox, oy] = centre(index);
      const along = (ox - x) * dx + (oy - y) * dy;
      const aside = Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx);
      if (along > 1 && along + 3 * aside < least) [best, least] = [index, along + 3 * aside];
    }
    return best < 0 ? undefined : this.announce(best);
  }

  announce(index) {
    const host = this.cloud.hosts[index];
    const wide = this.view.k;
    this.cursor = index;
    if (wide > 1 && !this.view.shows(this.view.tile(this.plan, index))) this.go(index);
    const words = [host.name, mark(host), plural(host.servers.size, "server"), host.starved ? `${host.starved} starved` : "",
      host.steal < 0 ? "" : `steal ${percent(host.steal / 1000)}`];
    this.on.say(words.filter(Boolean).join(", "));
    this.redraw();
  }
}
