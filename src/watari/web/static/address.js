// Addresses: every state of the page is one, behind the #, so that it can be kept, sent and opened again.

const VIEWS = ["map", "plans", "plan", "runs", "run", "checks"];

/**
 * What an address asks for. `cloud` is empty where it names none: then the one chosen last is meant.
 * @typedef {{view: string, id: string, cloud: string}} Address
 */

/**
 * `#/map/SERVER`, or `#/@CLOUD/map/SERVER` where there are several clouds. Whatever is not known is the map.
 * @param {string} hash
 * @returns {Address}
 */
export function parse(hash) {
  const parts = hash.replace(/^#\/?/, "").split("/");
  const cloud = parts[0].startsWith("@") ? decoded(parts.shift().slice(1)) : "";
  const [view, ...rest] = parts;
  const id = decoded(rest.join("/"));
  if (!VIEWS.includes(view)) return { view: "map", id: "", cloud };
  if ((view === "plans" || view === "runs") && id) return { view: view.slice(0, -1), id, cloud };
  if ((view === "plan" || view === "run") && !id) return { view: `${view}s`, id, cloud };
  return { view, id, cloud };
}

/** The address of a view. */
export function address(view, id = "", cloud = "") {
  return `#/${cloud ? `@${encodeURIComponent(cloud)}/` : ""}${view}${id ? `/${encodeURIComponent(id)}` : ""}`;
}

/** The token that `#token=…` hands over, and the address without it; null where there is none. */
export function handedOver(hash) {
  const found = /^#token=([^&/]+)&?(.*)$/.exec(hash);
  return found ? { token: decoded(found[1]), rest: found[2] ? `#${found[2].replace(/^#/, "")}` : "#/map" } : null;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % that nothing of ours has
  }
}
