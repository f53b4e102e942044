// The line under the top bar that all views share: the cloud's mode, its trouble, the run under way, the stop switch.

import { send } from "./api.js";
import { ask } from "./dialog.js";
import { h, setText } from "./dom.js";
import { NB, count, duration } from "./format.js";
import { zoned } from "./times.js";
import { MODES, countWords, sentence } from "./words.js";

const LATE = 3; // looks that may be missed before it is said

/** Build the line in an element; the returned function shows the store. */
export function statusLine(element, store) {
  const mode = h("b.mode");
  const words = h("span.does");
  const looked = h("span.mute.looked");
  const trouble = h("span.trouble", { role: "alert" });
  const waits = h("a.waits", { href: "#/plans" });
  const run = h("a.run", { href: "#/runs" });
  const stop = h("button.danger.stop", { type: "button" }, "Stop switch");
  const stopped = h("p.stopped");
  const lift = h("button.stop", { type: "button" }, "Lift the stop");
  stop.addEventListener("click", () => setStop(store));
  lift.addEventListener("click", () => liftStop(store));
  element.append(mode, words, looked, trouble, stopped, h("span.grow"), waits, run, stop, lift);

  return () => {
    const cloud = store.shown;
    element.hidden = !cloud;
    if (!cloud) return;
    setText(mode, cloud.mode || "no mode");
    mode.dataset.mode = cloud.mode;
    setText(words, sentence(cloud.doing || MODES[cloud.mode] || "No controller looks after it"));
    words.title = MODES[cloud.mode] ?? "";
    setText(looked, lookedWords(cloud));
    const text = troubleOf(cloud);
    trouble.hidden = !text;
    if (trouble.textContent !== text) setText(trouble, text); // an alert is read aloud when it changes
    showWaiting(waits, store);
    showRun(run, store);
    showStop(element, stopped, stop, lift, cloud, store);
  };
}

function lookedWords(cloud) {
  if (cloud.looked_s === null) return "";
  const every = cloud.every_s === null ? "" : `, every ${duration(cloud.every_s)}`;
  return `looked ${duration(age(cloud))} ago${every}`;
}

const age = (cloud) => cloud.looked_s + (performance.now() - cloud.at) / 1000;

/** What is wrong, in one sentence; "" while nothing is. */
export function troubleOf(cloud) {
  if (cloud.trouble) return sentence(cloud.trouble);
  if (!cloud.controller) return "No controller looks after this cloud: start one with watari serve.";
  if (cloud.looked_s !== null && cloud.every_s && age(cloud) > LATE * cloud.every_s + 5) {
    return `It has not looked for ${duration(Math.max(60, 60 * Math.floor(age(cloud) / 60)))}: see the controller's log.`;
  }
  return "";
}

function showWaiting(link, store) {
  const plans = [...store.waiting.values()].filter(({ cloud, state }) => cloud === store.cloud && state === "waiting");
  link.hidden = plans.length === 0;
  if (!plans.length) return;
  link.setAttribute("href", plans.length > 1 ? store.at("plans") : store.at("plan", plans[0].id));
  setText(link, plans.length > 1 ? `${count(plans.length)}${NB}plans wait for approval` : `Plan ${plans[0].id} waits for approval`);
}

function showRun(link, store) {
  const runs = [...store.open.values()].filter(({ cloud, state }) => cloud === store.cloud && state !== "stopped");
  link.hidden = runs.length === 0;
  if (!runs.length) return;
  const [run] = runs;
  link.setAttribute("href", runs.length > 1 ? store.at("runs") : store.at("run", run.id));
  setText(link, runs.length > 1 ? `${count(runs.length)}${NB}runs under way` : `Run ${run.id}: ${countWords(run.counts)}`);
}

function showStop(element, stopped, stop, lift, { stop: set, name }, store) {
  element.classList.toggle("is-stopped", Boolean(set));
  stopped.hidden = !set;
  stop.hidden = Boolean(set) || !store.may("stop");
  lift.hidden = !set || !store.may("stop");
  stop.disabled = lift.disabled = !store.online;
  if (!set) return;
  const where = set.cloud ? name : "all clouds";
  stopped.replaceChildren(h("b", {}, `Stopped for ${where}`), ` by ${set.by} at ${zoned(set.at)}: ${sentence(set.why)} `
    + "Nothing new begins; what moves already arrives.");
}

/** Pull the stop switch of the cloud that is shown, or of all. */
export async function setStop(store) {
  const several = store.clouds.size > 1;
  const scope = several ? [h("fieldset", {}, h("legend", {}, "Where"),
    radio("scope", "one", store.cloud, true), radio("scope", "all", `all ${store.clouds.size} clouds`, false))] : [];
  await ask({
    title: "Pull the stop switch?", verb: "Stop everything new", danger: true, why: "required", hint: "the storage network flaps, ticket 4711",
    text: ["Nothing new begins: no plan, no operation of a run that is under way, until somebody lifts it.",
      "What moves already arrives. It holds over restarts, for all controllers and workers."],
    fields: scope,
    act: async (why, form) => {
      const all = several && new FormData(form).get("scope") === "all";
      await send("PUT", path(all ? "" : store.cloud), { why });
      await store.reread();
    },
  });
}

async function liftStop(store) {
  const { stop } = store.shown;
  await ask({
    title: stop.cloud ? `Lift the stop of ${stop.cloud}?` : "Lift the stop of all clouds?", verb: "Lift the stop", why: "none",
    text: [`It was set by ${stop.by} at ${zoned(stop.at)}: ${sentence(stop.why)}`,
      "Plans that are approved begin, and runs that wait go on, within seconds."],
    act: async () => {
      await send("DELETE", path(stop.cloud), null);
      await store.reread();
    },
  });
}

const path = (cloud) => (cloud ? `/v1/stops/${encodeURIComponent(cloud)}` : "/v1/stops");

function radio(name, value, label, checked) {
  return h("label.choice", {}, h("input", { type: "radio", name, value, checked }), ` ${label}`);
}
