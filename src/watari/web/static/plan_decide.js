// The bar below a plan: approve or reject, with the word that a plan needs which stops servers or empties hosts.

import { send } from "./api.js";
import { ask } from "./dialog.js";
import { h, setText } from "./dom.js";
import { NB, memory, plural } from "./format.js";
import { mib, wordFor } from "./plan_facts.js";
import { since, zoned } from "./times.js";
import { planWord, sentence } from "./words.js";

/** Build the bar; `show(plan)` takes every new state of it. */
export function decideBar(details, { store, say, go }) {
  const { plan: file } = details;
  const needs = wordFor(file);
  const size = plural(file.operations.length, "operation");
  const verdict = h("b");
  const told = h("span.mute");
  const warning = h("label.bad", { for: "word" });
  const word = h("input", { id: "word", autocomplete: "off", spellcheck: "false", autocapitalize: "off", placeholder: needs?.word ?? "" });
  const why = h("input.why", { id: "why", "aria-label": "Why (optional)", placeholder: "why (optional)", maxlength: 1000, autocomplete: "off" });
  const reject = h("button", { type: "button" }, "Reject plan…");
  const approve = h("button.main", { type: "submit" }, `Approve ${size}`);
  const error = h("p.error", { role: "alert", hidden: true });
  const form = h("form.decide", { "aria-label": "Decision" }, verdict, told, h("span.grow"), error, warning, word, why, reject, approve);
  let plan = details;
  let busy = false;

  const may = () => store.may("decide");
  const ready = () => {
    const decides = may() && plan.state === "waiting" && file.operations.length > 0;
    for (const part of [why, approve]) part.hidden = !decides;
    word.hidden = warning.hidden = !needs || !decides;
    reject.hidden = !may() || !(plan.state === "waiting" || plan.state === "approved");
    setText(reject, plan.state === "approved" ? "Take it back…" : "Reject plan…");
    if (needs) setText(warning, `${needs.what} Type ${needs.of} to approve:`);
    const late = since(plan.expires_at) > 0;
    if (plan.state === "waiting") setText(told, toldWords(plan, file, store));
    approve.disabled = busy || late || !store.online || (Boolean(needs) && word.value.trim() !== needs.word);
    reject.disabled = busy || !store.online;
    why.disabled = word.disabled = !store.online;
  };
  const show = (next) => {
    plan = next;
    setText(verdict, plan.state === "waiting" || plan.state === "suggested" ? size : planWord(plan.state));
    setText(told, toldWords(plan, file, store));
    ready();
  };
  const decide = async (verb, reason) => {
    const decided = await send("POST", `/v1/plans/${encodeURIComponent(plan.id)}/${verb}`, { why: reason });
    say(`Plan ${plan.id} is ${planWord(decided.state)}`);
    store.learn("plan", decided);
    return decided;
  };

  form.addEventListener("input", ready);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (approve.disabled || approve.hidden) return;
    busy = true;
    error.hidden = true;
    ready();
    try {
      await decide("approve", why.value.trim());
    } catch (problem) {
      error.hidden = false;
      setText(error, problem.detail ?? String(problem));
    }
    busy = false;
    ready();
  });
  const refuse = () => ask({
    title: plan.state === "approved" ? `Take the approval of ${plan.id} back?` : `Reject ${plan.id}?`, verb: "Reject the plan", danger: true, why: "required",
    hint: "not during the sale", act: (reason) => decide("reject", reason),
    text: ["Nothing of it begins.", `The same servers are not proposed again until it would have expired, at ${zoned(plan.expires_at)}.`],
  });
  reject.addEventListener("click", refuse);
  return {
    element: form, show, ready,
    key: ({ key }) => {
      if (key === "a" && !approve.hidden) (needs ? word : approve).focus();
      else if (key === "r" && !reject.hidden && !reject.disabled) refuse();
      else if (key === "Escape") go(store.at("plans"));
      else return false;
      return true;
    },
  };
}

function toldWords(plan, file, store) {
  const who = plan.decided_by ? `by ${plan.decided_by}${plan.decided_at ? ` at ${zoned(plan.decided_at)}` : ""}` : "";
  const why = plan.why ? `: ${sentence(plan.why)}` : "";
  if (plan.state === "waiting") {
    if (!store.online) return "Not connected: nothing can be decided now.";
    if (since(plan.expires_at) > 0) return "Its time is over. If it is still needed another one follows.";
    return store.may("decide") ? `${memory(mib(file))} to copy` : `You may read, and not decide: that takes the rule watari:decide.`;
  }
  if (plan.state === "suggested") return file.operations.length ? "This mode suggests only. To carry it out: watari plans show, then watari apply." : "Nothing is to be done.";
  const stopped = plan.state === "approved" && store.shown?.stop ? " It begins once the stop switch is lifted." : "";
  return `${who}${why}${stopped}` || NB;
}
