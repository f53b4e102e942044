// One plan: now and predicted side by side, operations with their reasons, what was refused, and the decision.

import { get } from "./api.js";
import { h, setText } from "./dom.js";
import { count, data, duration, plural } from "./format.js";
import { title } from "./listing.js";
import { mib, seconds, waves } from "./plan_facts.js";
import { decideBar } from "./plan_decide.js";
import { hostBars } from "./plan_hosts.js";
import { candidate, operationsCard } from "./plan_ops.js";
import { pair } from "./plan_pair.js";
import { ago, expiry, now, time, zone, zoned } from "./times.js";
import { finding } from "./view_checks.js";
import { about, capital, card, empty, planChip, sentence, sum } from "./words.js";

const CALM = ["relieved"]; // refusals that are none: the server gets better by another one's move

/** Open the view; see main.js for what a view is. */
export function planView(root, context, id) {
  const { store, picture } = context;
  let plan = null;
  let bar = null;
  let pictures = null;
  const parts = { chip: h("span.state"), note: h("span.mute.about"), run: h("a.button.go", { hidden: true }) };

  const read = async () => {
    try {
      const first = plan === null;
      plan = await get(`/v1/plans/${encodeURIComponent(id)}`);
      if (plan.cloud !== store.cloud && store.clouds.has(plan.cloud)) store.choose(plan.cloud); // which opens it anew
      else if (first) build();
      else change(plan);
    } catch (problem) {
      if (plan === null) root.replaceChildren(title(`Plan ${id}`), empty("It cannot be shown", problem.detail ?? String(problem)));
    }
  };
  const build = () => {
    const { plan: file } = plan;
    bar = decideBar(plan, context);
    const place = h("div");
    root.replaceChildren(title(`Plan ${id}: ${plan.job}`, parts.chip, parts.note, parts.run), sums(plan, file), place,
      h("div.two", {}, file.operations.length ? operationsCard(file, context, { select: (one) => pictures?.select(one) }) : nothing(plan),
        h("div.side", {}, refusals(file), findings(file), hostBars(file))), bar.element);
    const draw = () => {
      if (pictures || !picture.cloud || plan.cloud !== picture.name || (plan.state !== "waiting" && plan.state !== "suggested")) return;
      pictures = pair(file, picture);
      if (pictures) place.replaceChildren(pictures.element);
    };
    draw();
    drawLater = draw;
    change(plan);
    root.querySelector("h1").focus({ preventScroll: true });
  };
  const change = (next) => {
    plan = { ...plan, ...next };
    if (parts.chip.dataset.state !== plan.state) {
      parts.chip.dataset.state = plan.state;
      parts.chip.replaceChildren(planChip(plan.state));
    }
    parts.run.hidden = !plan.run;
    if (plan.run) {
      parts.run.setAttribute("href", store.at("run", plan.run, plan.cloud));
      setText(parts.run, `Run ${plan.run}`);
    }
    bar.show(plan);
    tick();
  };
  const tick = () => {
    if (!plan || !bar) return;
    setText(parts.note, noteWords(plan));
    bar.ready();
  };
  let drawLater = () => undefined;
  const stops = [
    store.listen((kind, body) => {
      if (kind === "plan" && body.id === id && plan) change(body);
      else if (kind === "all") read();
      else if (kind === "link" && plan) bar?.show(plan);
    }),
    picture.listen((kind) => kind === "state" && drawLater()),
  ];
  root.replaceChildren(title(`Plan ${id}`, h("span.mute", {}, "reading …")));
  read();
  return {
    close: () => {
      stops.forEach((stop) => stop());
      pictures?.close();
    },
    tick, key: (event) => (event.key === "ArrowDown" ? Boolean(root.querySelector("button.op")?.focus() ?? true) : (bar?.key(event) ?? false)),
  };
}

function noteWords(plan) {
  const { plan: file } = plan;
  const made = `made ${ago(plan.made_at)} from snapshot ${file.snapshot_digest.slice(0, 8)}`;
  const open = plan.state === "waiting" || plan.state === "suggested" || plan.state === "approved";
  const until = open ? expiry(plan.expires_at) : `at ${zoned(plan.made_at)}`;
  const mode = plan.mode === "asked" ? `asked for${plan.decided_by ? "" : " by a person"}` : `mode ${plan.mode}`;
  const why = open && plan.why ? ` · ${plan.why}` : "";
  return `${made} · ${until} · ${mode} · policy ${file.policy_digest.slice(0, 8)}${why}`;
}

function sums(plan, file) {
  const { forecast, operations } = file;
  const [number, unit] = data(mib(file));
  const long = seconds(file);
  const refused = file.refusals.filter(({ code }) => !CALM.includes(code)).length;
  const cores = (value) => value.toFixed(value < 10 ? 1 : 0);
  return h("dl.card.sums", {},
    sum("Operations", count(operations.length), `in ${plural(waves(file).length, "wave")}, ${refused ? plural(refused, "refusal") : "nothing refused"}`),
    sum("Starved servers", `${count(forecast.starved_before)} → ${count(forecast.starved_after)}`, "predicted, the whole cloud"),
    sum("Steal", `${cores(forecast.steal_before)} → ${cores(forecast.steal_after)} cores`, "asked for and not given, predicted"),
    sum("To copy", `${number} ${unit}`, `hosts over capacity: ${count(forecast.over_before)} → ${count(forecast.over_after)}`),
    sum("Time", long ? about(long) : "–", long && plan.state === "waiting" ? `begun now it ends about ${time(now() + long * 1000, { seconds: false })} ${zone()}` : duration(long)));
}

function refusals({ refusals: all }) {
  const refused = all.filter(({ code }) => !CALM.includes(code));
  const relieved = all.length - refused.length;
  if (!all.length) return card(".refused", "Refused", h("span"), h("p.mute", {}, "Nothing was refused."));
  const note = h("span", {}, refused.length ? "need help, and are not acted on" : "nobody");
  return card(".refused", "Refused", note, refused.length > 0 && h("ul.refusals", {}, refused.map(refusal)),
    relieved > 0 && h("p.mute", {}, `${plural(relieved, "starved server")} ${relieved === 1 ? "stays and gets" : "stay and get"} better by the moves of others.`));
}

function refusal({ subject, name, code, why, help, candidates }) {
  const misses = candidates.length > 0 && h("details", {}, h("summary", {}, `${plural(candidates.length, "host")} weighed`), h("ol.candidates", {}, candidates.map(candidate)));
  return h("li", {}, h("b", { dir: "auto" }, name || subject), " ", h("code", {}, code), h("p", { dir: "auto" }, capital(sentence(why))),
    help && h("p.cure", { dir: "auto" }, sentence(help)), misses);
}

function findings({ findings: all }) {
  if (!all.length) return null;
  return card(".noticed", "Findings", h("span", {}, "when it was made"), h("ol.findings", {}, all.map(finding)));
}

function nothing(plan) {
  return card(".operations", "Operations", h("span"), h("pre.text", { dir: "auto" }, plan.text));
}
