// The list of plans: those that stand, or all, newest first.

import { h, setText } from "./dom.js";
import { NB, count, plural } from "./format.js";
import { empty, listing, title } from "./listing.js";
import { propose } from "./propose.js";
import { stands } from "./store.js";
import { ago, expiry, zone, zoned } from "./times.js";
import { planChip } from "./words.js";

const STANDING = ["waiting", "suggested", "approved"];
const COLUMNS = ["Plan", "State", "What it does", "Made", "Who decided, and why"];

export function planCells() {
  return h("a.row", {}, h("b.id"), h("span.state"), h("span.what"), h("span.when"), h("span.who"));
}

/** Open the view; see main.js for what a view is. */
export function plansView(root, context) {
  const { store } = context;
  const make = h("button.main", { type: "button", hidden: true }, "Plan now…");
  make.addEventListener("click", () => propose(context));
  root.append(title("Plans", h("span.mute", {}, `newest first · times in ${zone()}`), h("div.actions", {}, make)));
  const list = listing(root, context, {
    path: "/v1/plans", kind: "plan", columns: COLUMNS, create: planCells,
    filters: [{ name: "To decide and to begin", query: { state: STANDING }, takes: stands }, { name: "All", query: {}, takes: () => true }],
    fill: (row, plan) => fill(row, plan, store),
    none: (filter) => nothing(filter, store),
  });
  const tick = () => {
    make.hidden = !store.may("decide");
    make.disabled = !store.online;
    list.tick();
  };
  tick();
  return { ...list, tick };
}

function fill(row, plan, store) {
  const [id, state, what, when, who] = row.children;
  row.setAttribute("href", store.at("plan", plan.id));
  setText(id, plan.id);
  if (state.dataset.state !== plan.state) {
    state.dataset.state = plan.state;
    state.replaceChildren(planChip(plan.state));
  }
  const starved = plan.starved === null ? "" : ` · ${count(plan.starved)} starved then`;
  setText(what, `${plan.job}: ${plural(plan.operations, "operation")}${starved}`);
  setText(when, stands(plan) ? `${ago(plan.made_at)}, ${expiry(plan.expires_at)}` : ago(plan.made_at));
  when.title = `${zoned(plan.made_at)}, good until ${zoned(plan.expires_at)}`;
  setText(who, plan.decided_by ? `${plan.decided_by}${plan.why ? `: ${plan.why}` : ""}` : plan.why || (stands(plan) ? "nobody yet" : ""));
}

function nothing(filter, store) {
  const mode = store.shown?.mode;
  const next = mode === "observe" || mode === "off"
    ? "In this mode no plans are made. Set serve.balance to suggest or approve in the policy file; it counts at once."
    : "The next look plans again when a server is starved. “Plan now…” makes a plan at once, for a balance or to empty hosts.";
  return filter === 0 ? empty("No plan waits", next) : empty("No plan was made yet", next);
}

/** How a plan is called in one line. */
export const planName = (plan) => `Plan ${plan.id}:${NB}${plan.job}`;
