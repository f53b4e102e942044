// The list of findings: what a person should look at, worst first, each with its cure.

import { get } from "./api.js";
import { h, keyed, setText } from "./dom.js";
import { plural } from "./format.js";
import { title } from "./listing.js";
import { troubleOf } from "./status.js";
import { empty, sentence, severityChip } from "./words.js";

const ORDER = ["error", "warning", "info"];
const REST_MS = 3000;

/** Open the view; see main.js for what a view is. */
export function checksView(root, { store }) {
  const size = h("span.mute");
  const trouble = h("p.verdict.no", { hidden: true });
  const list = h("ol.card.findings", { hidden: true });
  const none = h("div");
  const error = h("p.error", { role: "alert", hidden: true });
  root.append(title("Checks", size), trouble, list, none, error);
  let due = 0;

  const read = async () => {
    due = 0;
    try {
      const { items } = await get(`/v1/clouds/${encodeURIComponent(store.cloud)}/findings`);
      show(items);
      error.hidden = true;
    } catch (problem) {
      error.hidden = false;
      setText(error, problem.detail ?? String(problem));
    }
  };
  const show = (items) => {
    const found = [...items].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
    const bad = store.shown ? troubleOf(store.shown) : "";
    trouble.hidden = !bad;
    setText(trouble, bad);
    setText(size, found.length ? `${plural(found.length, "finding")} of the last look, worst first` : "");
    list.hidden = found.length === 0;
    keyed(list, found, (one) => `${one.code} ${one.subject} ${one.text}`, finding, () => undefined);
    none.replaceChildren(...(found.length || bad ? [] : [empty("Nothing to look at", "Every look checks the cloud, its meters and orchestrators; what a person should know appears here with its cure.")]));
  };
  const stop = store.listen((kind, body) => {
    if (kind === "all" || (kind === "cloud" && body.name === store.cloud)) due ||= setTimeout(read, kind === "all" ? 0 : REST_MS);
  });
  read();
  return { close: stop };
}

/** One finding: severity, subject, text, cure. Also used by the plan view. */
export function finding({ severity, subject, code, text, help }) {
  return h("li.finding", {}, h("div", {}, severityChip(severity)),
    h("div", {}, h("b.subject", { dir: "auto" }, subject), " ", h("code", {}, code), h("p", { dir: "auto" }, sentence(text)),
      help && h("p.cure", { dir: "auto" }, h("b", {}, "Cure: "), sentence(help))));
}
