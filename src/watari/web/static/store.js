// What all views share, kept up to date by the stream of changes: who asks, the clouds, plans that wait, open runs, stops.

import { get, query } from "./api.js";
import { address } from "./address.js";
import { Stream } from "./events.js";
import { back } from "./times.js";

const CHOSEN = "watari.cloud";
const MOST = 100;

/**
 * Listeners are called with (kind, body): kind `cloud`, `plan`, `run`, `operation`, `journal` with the new value,
 * `all` after everything was read anew, `link` when the connection came or went, `chosen` when another cloud is shown.
 */
export class Store {
  constructor() {
    Object.assign(this, {
      me: null, clouds: new Map(), waiting: new Map(), open: new Map(), cloud: "", online: false, ready: false,
      heard: 0, again: null, problem: null,
    });
    this.listeners = new Set();
    this.held = null; // events that come while everything is read anew
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(kind, body = null) {
    for (const listener of [...this.listeners]) listener(kind, body);
  }

  may(what) {
    return Boolean(this.me?.may.includes(what));
  }

  /** The cloud that is shown, as the API tells it; undefined before it is known. */
  get shown() {
    return this.clouds.get(this.cloud);
  }

  /** The address of a view of the cloud that is shown; it is named only where there are several. */
  at(view, id = "", cloud = this.cloud) {
    return address(view, id, this.clouds.size > 1 ? cloud : "");
  }

  start() {
    this.stream?.close();
    this.stream = new Stream("/v1/events", {
      event: (name, body) => this.event(name, body), open: () => this.opened(), lost: (...about) => this.lost(...about),
    });
  }

  retry() {
    this.stream?.retry();
  }

  async opened() {
    this.held = [];
    try {
      await this.read();
    } catch (problem) {
      this.held = null;
      this.problem = problem;
      if (problem.status !== 401) this.stream.abort.abort(); // half a picture is none: come again
      return;
    }
    const held = this.held ?? [];
    this.held = null;
    Object.assign(this, { online: true, ready: true, again: null, problem: null });
    this.hear();
    for (const [name, body] of held) this.take(name, body);
    this.tell("all");
    this.tell("link");
  }

  lost(problem, again) {
    Object.assign(this, { online: false, again, problem });
    this.tell("link");
  }

  hear() {
    this.heard = performance.now();
  }

  /** When the controller was last heard, by the cloud's clock. */
  get heardAt() {
    return back(performance.now() - this.heard);
  }

  async read() {
    const me = await get("/v1/me");
    const [clouds, plans, runs] = await Promise.all([
      get("/v1/clouds"), get(query("/v1/plans", { state: ["waiting", "suggested", "approved"], limit: MOST })),
      get(query("/v1/runs", { open: true, limit: MOST })),
    ]);
    this.me = me;
    this.clouds = new Map(clouds.items.map((cloud) => [cloud.name, looked(cloud)]));
    this.waiting = new Map(plans.items.filter(stands).map((plan) => [plan.id, plan]));
    this.open = new Map(runs.items.filter(isOpen).map((run) => [run.id, run]));
    if (!this.clouds.has(this.cloud)) this.cloud = this.clouds.has(kept()) ? kept() : (clouds.items[0]?.name ?? "");
  }

  /** Show another cloud. */
  choose(name) {
    if (!name || name === this.cloud || (this.ready && !this.clouds.has(name))) return;
    this.cloud = name;
    try {
      sessionStorage.setItem(CHOSEN, name);
    } catch {
      // Then the address alone says it.
    }
    this.tell("chosen");
  }

  event(name, body) {
    this.hear();
    if (name === "hello") return;
    if (name === "lost") this.opened();
    else if (this.held) this.held.push([name, body]);
    else {
      this.take(name, body);
      this.tell(name, body);
    }
  }

  take(name, body) {
    if (name === "cloud") this.clouds.set(body.name, looked(body, this.clouds.get(body.name)));
    else if (name === "plan") put(this.waiting, body, stands(body));
    else if (name === "run") put(this.open, body, isOpen(body));
  }

  /** A value that an answer brought: the same as if it had been an event. */
  learn(name, body) {
    this.take(name, body);
    this.tell(name, body);
  }

  /** When each cloud was looked at, which no event tells. */
  async look() {
    if (!this.online) return;
    const { items } = await get("/v1/clouds");
    this.clouds = new Map(items.map((cloud) => [cloud.name, looked(cloud)]));
  }

  async reread() {
    await this.read();
    this.tell("all");
  }
}

/** @returns whether a plan still stands: somebody may decide on it, or it is about to begin. */
export const stands = ({ state }) => state === "suggested" || state === "waiting" || state === "approved";

/** @returns whether a run is not over. A stopped one waits to be taken up again. */
export const isOpen = ({ state }) => state === "running" || state === "cancelling" || state === "stopped";

/** A cloud with `at`, when `looked_s` was true. Events leave it out, because it changes all the time. */
function looked(cloud, before = null) {
  const kept = cloud.looked_s === null && before ? { looked_s: before.looked_s, at: before.at } : { at: performance.now() };
  return { ...cloud, ...kept };
}

function put(map, body, keep) {
  if (keep) map.set(body.id, body);
  else map.delete(body.id);
}

function kept() {
  try {
    return sessionStorage.getItem(CHOSEN) ?? "";
  } catch {
    return "";
  }
}
