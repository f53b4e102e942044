// The keys of the page, as a list that "?" shows.

import { h } from "./dom.js";

const EVERYWHERE = [["1 2 3 4", "Map, Plans, Runs, Checks"], ["/", "find, or filter what is shown"], ["!", "the stop switch"],
  ["Esc", "close what is open, or one level up"], ["?", "these keys"]];
const MAP = [["← → ↑ ↓", "from host to host"], ["Enter", "the worst server of a host"], ["+ − 0", "zoom in, out, fit everything"]];
const LIST = [["↓ ↑", "from row to row"], ["Home End", "the first, the last row"], ["Enter", "open"]];
const PLAN = [["↓ ↑", "from operation to operation"], ["Enter", "its candidates and steps"], ["a", "to the approval"], ["r", "reject"]];
const RUN = [["↓ ↑", "from operation to operation"], ["Enter", "its steps"], ["/", "filter the journal"]];
const VIEWS = { map: ["Map", MAP], plans: ["Plans", LIST], plan: ["Plan", PLAN], runs: ["Runs", LIST], run: ["Run", RUN], checks: ["Checks", []] };

/** Show the keys of a view, until any of Esc, Enter or a click puts them away. */
export function showKeys(view) {
  const [name, keys] = VIEWS[view];
  const close = h("button.main", { type: "submit", autofocus: true }, "Close");
  const dialog = h("dialog.ask.keys", { "aria-labelledby": "keys-title" },
    h("form", { method: "dialog" }, h("h2", { id: "keys-title" }, "Keys"), list("Everywhere", EVERYWHERE),
      keys.length > 0 && list(name, keys), h("div.actions", {}, close)));
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus?.({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
}

function list(name, keys) {
  return h("section", {}, h("h3", {}, name), h("dl", {}, keys.flatMap(([key, words]) =>
    [h("dt", {}, key.split(" ").flatMap((one, i) => [i ? " " : "", h("kbd", {}, one)])), h("dd", {}, words)])));
}
