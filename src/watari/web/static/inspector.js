// The right side: every starved server and what is done about it, or one server and why.

import { NB, clock, count, duration, memory, percent, plural, wall } from "./format.js";
import { h, keyed, setText } from "./dom.js";
import { history, shareWords } from "./chart.js";
import { level } from "./theme.js";
import { mark } from "./tiles.js";

const MOST = 200; // rows of the list; the map shows the rest
const CHIPS = { moving: ["go", "moving"], planned: ["", "planned"], relieved: ["", "relieved"], refused: ["warn", "not moved"] };
const STATE_CHIPS = { down: "bad" };

/** `on.select(server index)`, `on.close()`. `list(cloud)` shows the list, `details(d, cloud)` one server. */
export class Inspector {
  constructor(aside, on) {
    Object.assign(this, { aside, on, shown: "" });
    this.parts = {
      size: h("small"), rule: h("p.mute"), list: h("ol.starved"), more: h("p.mute"), none: h("p.nobody"),
      outSize: h("small"), out: h("ol.starved"),
    };
  }

  list(cloud) {
    const { size, rule, list, more, none, outSize, out } = this.parts;
    if (this.shown !== "list") {
      this.shown = "list";
      this.aside.classList.remove("one");
      this.outSection = h("section", {}, h("h2", {}, "Hosts out of the choice", outSize), out);
      this.aside.replaceChildren(
        h("section", {}, h("h2", {}, "Starved servers, worst first", size), rule, list, more, none), this.outSection);
      this.aside.scrollTop = 0;
    }
    const { starved, policy } = cloud.state;
    setText(size, count(starved.length));
    setText(rule, `Starved: steal ≥${NB}${percent(policy.steal)} and load ≥${NB}${policy.load_per_vcpu.toFixed(1)} per vCPU, `
      + `${policy.hold_rounds} rounds in a row.`);
    keyed(list, starved.slice(0, MOST), ({ server }) => server, () => this.row(), (row, entry) => this.fill(row, entry, cloud));
    more.hidden = starved.length <= MOST;
    setText(more, `and ${count(starved.length - MOST)} more, less starved than these; the map shows them all.`);
    none.hidden = starved.length > 0;
    setText(none, "No server is starved. When one is, it is listed here with what is done about it.");
    this.outOfChoice(cloud, outSize, out);
  }

  outOfChoice(cloud, size, list) {
    const hosts = cloud.hosts.filter((host) => mark(host));
    this.outSection.hidden = hosts.length === 0;
    setText(size, count(hosts.length));
    keyed(list, hosts.slice(0, 40), ({ index }) => index,
      () => h("li", {}, h("i.sw.none"), h("span.who", {}, h("b")), h("span.chip"), h("p")), (row, host) => {
        const [, who, chip, why] = row.children;
        setText(who.firstChild, host.name);
        const word = mark(host).replace("✕ ", "");
        setText(chip, word);
        chip.className = `chip ${STATE_CHIPS[host.state] ?? "warn"}`;
        setText(why, host.state_note || (host.silent ? `${plural(host.servers.size, "server")} without data, not moved` : ""));
      });
  }

  row() {
    const open = h("button.link", { type: "button" });
    const row = h("li", {}, h("i.sw"), h("span.who", {}, open, " ", h("span")), h("span.chip"), h("p"), h("p.why"));
    open.addEventListener("click", () => this.on.select(Number(row.dataset.key)));
    return row;
  }

  fill(row, { server, intent, to, why }, cloud) {
    const { servers, load } = cloud.state;
    const [step, who, chip, numbers, reason] = row.children;
    step.className = `sw s${Math.max(0, level(load.steal[server]))}`;
    setText(who.firstChild, servers.name[server]);
    setText(who.lastChild, cloud.hosts[cloud.where[server]].name + (to === null ? "" : ` → ${cloud.hosts[to].label}`));
    const [kind, word] = CHIPS[intent];
    chip.className = `chip ${kind}`;
    setText(chip, word);
    setText(numbers, `steal ${percent(Math.max(0, load.steal[server]) / 1000)} · load ${(load.per_vcpu[server] / 100).toFixed(2)}`
      + ` · ${servers.vcpu[server]}${NB}vCPU`);
    setText(reason, why);
    reason.hidden = !why;
  }

  details(d, cloud) {
    const fresh = this.shown !== d.id;
    const top = this.aside.scrollTop;
    const inside = this.aside.contains(document.activeElement);
    this.shown = d.id;
    this.aside.classList.add("one");
    const close = h("button.icon", { type: "button", "aria-label": "Close", title: "Close (Esc)" }, "✕");
    close.addEventListener("click", () => this.on.close());
    const step = d.load ? level(Math.round(d.load.steal * 1000)) : -1;
    this.aside.replaceChildren(...[
      h("header", {}, h(`i.sw.${step < 0 ? "none" : `s${step}`}`), h("h2.name", {}, d.name), d.starved && h("span.chip.bad", {}, "starved"), close),
      verdict(d), facts(d), d.history.length > 1 && charts(d, cloud.state.policy), rules(d), candidates(d), past(d, cloud.state),
    ].filter(Boolean));
    this.aside.scrollTop = fresh ? 0 : top;
    if (fresh || inside) close.focus({ preventScroll: true });
  }

  message(title, text) {
    this.shown = "message";
    this.aside.classList.add("one");
    const close = h("button.icon", { type: "button", "aria-label": "Close" }, "✕");
    close.addEventListener("click", () => this.on.close());
    this.aside.replaceChildren(h("header", {}, h("h2.name", {}, title), close), h("p.mute", {}, text));
  }
}

function verdict({ verdict: { kind, title, text }, help }) {
  const tone = kind === "refused" || kind === "no data" ? ".no" : kind === "healthy" ? ".calm" : "";
  return h(`div.verdict${tone}`, {}, h("b", {}, title), h("p", {}, text), help && h("p.help", {}, help));
}

function facts(d) {
  const disk = d.disk_gib ? `${count(d.disk_gib)}${NB}GiB, local` : "shared storage";
  const rows = [["host", d.host], ["project", d.project || "–"], ["size", `${d.vcpu}${NB}vCPU, ${memory(d.memory_mib)}`],
    ["disk", disk], ["role", d.role || "none"], ["orchestrator", d.orchestrator || "none"]];
  return h("dl.facts", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function charts(d, policy) {
  const steal = d.load ? `${percent(d.load.steal)}, ${duration(d.load.age_s)} ago` : "no data";
  const load = d.load ? d.load.per_vcpu.toFixed(2) : "no data";
  return h("div.halves", {},
    history(d.history, "steal", policy.steal, "Steal", steal, shareWords),
    history(d.history, "per_vcpu", policy.load_per_vcpu, "Load per vCPU", load, (value) => value.toFixed(2)));
}

function rules(d) {
  if (!d.rules.length) return null;
  return h("section", {}, h("h2", {}, "Why"), h("ul.rules", {}, d.rules.map((rule) => h(rule.met ? "li" : "li.no", {},
    h("i", { role: "img", "aria-label": rule.met ? "met" : "not met" }, rule.met ? "✓" : "✕"), h("span", {}, rule.name),
    h("span.num", {}, [rule.value, rule.limit && `limit ${rule.limit}`].filter(Boolean).join(", "))))));
}

function candidates(d) {
  if (!d.candidates.length) return null;
  let rank = 0;
  return h("section", {}, h("h2", {}, `Candidates in ${d.zone}`, h("small", {}, `${d.candidates_note}${d.candidates_note ? " · " : ""}lowest score wins`)),
    h("ol.candidates", {}, d.candidates.map((c) => {
      const out = c.score === null;
      if (!out) rank += 1;
      const numbers = [c.steal === null ? "" : `steal ${percent(c.steal)}`, `${memory(c.free_mib)} free`].filter(Boolean).join(", ");
      return h(rank === 1 && !out ? "li.first" : "li", {}, h("span.rank", {}, out ? "–" : String(rank)), h("b", {}, c.host),
        h("span.mute", {}, numbers), h("span.num", {}, out ? "ruled out" : c.score.toFixed(2)), h("p", {}, c.why));
    })));
}

function past(d, state) {
  const words = { done: ["ok", "done"], failed: ["bad", "✕ failed"], undone: ["undone", "↩ undone"] };
  return h("section", {}, h("h2", {}, "Moves of this server", h("small", {}, d.moves.length ? state.time_zone : "")),
    d.moves.length ? h("ol.past", {}, d.moves.map((move) => h("li", {}, h("time", { datetime: move.ended }, clock(wall(move.ended), false)),
      h("span", {}, `${move.from} → ${move.to}`), h("span.mute", {}, gain(move)),
      h(`span.${words[move.outcome][0]}`, {}, words[move.outcome][1])))) : h("p.mute", {}, "None yet."));
}

function gain({ benefit }) {
  if (benefit === null) return "";
  return benefit >= 0 ? `${percent(benefit)} less steal` : `${percent(-benefit)} more steal`;
}
