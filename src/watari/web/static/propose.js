// Ask for a plan now: a balance, or hosts to empty.

import { send } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";

/** Ask what to plan; the plan that comes of it is opened and waits for approval. */
export async function propose({ store, go }, host = "") {
  const kind = (value, words, checked) => h("label.choice", {}, h("input", { type: "radio", name: "job", value, checked }), ` ${words}`);
  const hosts = h("input", { id: "propose-hosts", name: "hosts", value: host, autocomplete: "off", spellcheck: "false", placeholder: "az1-h07 az1-h08" });
  const enable = h("input", { type: "checkbox", name: "enable" });
  const drain = h("div.drain", {}, h("label", { for: "propose-hosts" }, "Hosts, with spaces between"), hosts,
    h("label.choice", {}, enable, " bring each back into service once everything has left it"));
  const job = h("fieldset", {}, h("legend", {}, "What"), kind("balance", "balance: relieve starved servers", !host),
    kind("drain", "drain: empty hosts, and take them out of service first", Boolean(host)));
  const show = () => {
    drain.hidden = job.querySelector(":checked").value !== "drain";
    hosts.required = !drain.hidden;
  };
  job.addEventListener("change", show);
  show();
  const made = await ask({
    title: `Plan for ${store.cloud} now?`, verb: "Make the plan", why: "optional", fields: [job, drain],
    text: ["The cloud is read and a plan is made. Nothing moves: the plan waits until somebody approves it."],
    act: (why, form) => {
      const data = new FormData(form);
      const wanted = { job: data.get("job"), cloud: store.cloud, why };
      if (wanted.job === "drain") Object.assign(wanted, { hosts: data.get("hosts").split(/[\s,]+/).filter(Boolean), then: data.get("enable") ? "enable" : null });
      return send("POST", "/v1/plans", wanted);
    },
  });
  if (made) go(store.at("plan", made.id));
}
