// The cloud as the server tells it: a full state, then ticks folded into it.

const TAIL = ["measured", "shadow", "starved", "done", "undone", "failed"];

/**
 * Listen to /api/events. `on.state(state)` for a full one, `on.tick(state, tick)` after a change was folded in,
 * `on.online(yes)` when the stream comes or goes. The browser reconnects by itself; the server then sends a full state.
 */
export function listen(on) {
  let state = null;
  const source = new EventSource("/api/events");
  source.addEventListener("open", () => on.online(true));
  source.addEventListener("error", () => {
    on.online(false);
    // A refusal (a proxy's 502, a server that shuts down) closes the source for good: start again.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(on), 2000);
  });
  source.addEventListener("state", (event) => {
    state = JSON.parse(event.data);
    on.state(state);
  });
  source.addEventListener("tick", (event) => {
    if (!state) return;
    const tick = JSON.parse(event.data);
    fold(state, tick);
    on.tick(state, tick);
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
