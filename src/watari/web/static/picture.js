// The live picture of the cloud that is shown, for every view that draws it.

import { Cloud } from "./cloud.js";
import { listen } from "./stream.js";
import { setPicture } from "./times.js";

/** Listeners are called with (kind, tick): `state`, `tick`, or `online` when it came or went. */
export class Picture {
  constructor() {
    Object.assign(this, { name: "", cloud: null, online: false, problem: null, heard: 0, stream: null });
    this.listeners = new Set();
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Follow another cloud. */
  follow(name) {
    if (name === this.name) return;
    this.stream?.close();
    Object.assign(this, { name, cloud: null, online: false, problem: null, stream: null });
    setPicture(null);
    this.tell("online");
    if (name) {
      this.stream = listen(name, {
        state: (state) => this.state(state), tick: (state, tick) => this.tick(state, tick),
        online: (yes, problem) => this.link(yes, problem),
      });
    }
  }

  retry() {
    this.stream?.retry();
  }

  /** Begin again, if it was refused: somebody else asks now. */
  begin() {
    if (!this.stream?.closed) return;
    const { name } = this;
    this.name = "";
    this.follow(name);
  }

  state(state) {
    this.heard = performance.now();
    this.cloud = new Cloud(state);
    setPicture(state);
    this.tell("state");
  }

  tick(state, tick) {
    this.heard = performance.now();
    this.cloud.update(tick);
    if (tick.now) setPicture(state);
    this.tell("tick", tick);
  }

  link(yes, problem) {
    Object.assign(this, { online: yes, problem });
    this.tell("online");
  }

  tell(kind, tick = null) {
    for (const listener of [...this.listeners]) listener(kind, tick);
  }
}
