// A cloud's live picture as the server tells it: a full state, then ticks folded into it.

import { Stream } from "./events.js";

const TAIL = ["measured", "shadow", "starved", "done", "undone", "failed"];

/**
 * Follow the picture of a cloud. `on.state(state)` for a full one, `on.tick(state, tick)` after a change was folded in,
 * `on.online(yes, problem)` when the stream comes or goes. Every stream begins with a full state.
 */
export function listen(cloud, on) {
  let state = null;
  return new Stream(`/v1/clouds/${encodeURIComponent(cloud)}/events`, {
    open: () => on.online(true, null),
    lost: (problem) => on.online(false, problem),
    event: (name, body) => {
      if (name === "state") {
        state = body;
        on.state(state);
      } else if (name === "tick" && state) {
        fold(state, body);
        on.tick(state, body);
      }
    },
  });
}

/** Fold a tick into the state, in place; see PageTick in the contract. */
export function fold(state, tick) {
  for (const [key, value] of Object.entries(tick)) {
    if (key === "placed") for (const [server, host] of value) state.servers.host[server] = host;
    else if (key === "chart") for (const name of TAIL) state.chart[name].splice(value.at, Infinity, ...value[name]);
    else state[key] = value;
  }
}
