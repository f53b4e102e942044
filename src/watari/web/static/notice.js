// One line above the map: the final numbers of a day, or hosts that keep silent.

import { h } from "./dom.js";
import { plural } from "./format.js";
import { verdict } from "./strip.js";

/** Build it in an element; the returned function shows a cloud. What the reader has put away stays away. */
export function notice(bar) {
  let away = "";
  let shown = "";
  return (cloud) => {
    const found = message(cloud);
    const key = found?.key ?? "";
    bar.hidden = !found || away === key;
    if (!found || (shown === key && key !== "ended")) return;
    shown = key;
    const hide = h("button.link", { type: "button" }, "Hide");
    hide.addEventListener("click", () => {
      away = key;
      bar.hidden = true;
    });
    bar.className = `notice ${found.tone}`;
    bar.replaceChildren(h("p", {}, h("b", {}, found.title), " ", found.text), hide);
  };
}

function message(cloud) {
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
