// The top bar: which cloud, which view, whether the page is live, what time it is.

import { h, keyed, setText } from "./dom.js";
import { NB, count, duration } from "./format.js";
import { now, time, zone, zoned } from "./times.js";
import { sentence } from "./words.js";

const VIEWS = [["map", "Map"], ["plans", "Plans"], ["runs", "Runs"], ["checks", "Checks"]];

/** Build it; the returned function shows the store and the picture. `view` is the one that is open. */
export function topBar(at, store, picture) {
  const links = VIEWS.map(([view, name], n) => h("a", { "data-view": view, "aria-keyshortcuts": String(n + 1) }, name, h("i")));
  at("nav").append(...links);
  at("cloud").addEventListener("change", (event) => {
    location.hash = store.at("map", "", event.target.value);
    store.choose(event.target.value);
  });
  return (view) => {
    showClouds(at, store);
    for (const link of links) {
      link.setAttribute("href", store.at(link.dataset.view));
      if (link.dataset.view.startsWith(view) || link.dataset.view === `${view}s`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      showBadge(link, store);
    }
    showLive(at, store, picture);
    showClock(at, picture);
  };
}

function showClouds(at, store) {
  const names = [...store.clouds.keys()];
  const several = names.length > 1;
  at("cloud").hidden = !several;
  at("only-cloud").hidden = several || !names.length;
  setText(at("only-cloud"), several ? "" : store.cloud);
  if (!several) return;
  keyed(at("cloud"), names, (name) => name, (name) => h("option", { value: name }), (option, name) => {
    const waits = of(store.waiting, name).filter(({ state }) => state === "waiting").length;
    const notes = [store.clouds.get(name).trouble && "trouble", waits && `${waits} to approve`].filter(Boolean);
    setText(option, notes.length ? `${name} (${notes.join(", ")})` : name);
  });
  if (at("cloud").value !== store.cloud) at("cloud").value = store.cloud;
}

const of = (map, name) => [...map.values()].filter(({ cloud }) => cloud === name);

function showBadge(link, store) {
  const badge = link.lastChild;
  const runs = of(store.open, store.cloud).length;
  const waits = of(store.waiting, store.cloud).filter(({ state }) => state === "waiting").length;
  const found = store.shown?.findings ?? 0;
  const [number, words, kind] = {
    map: [0, "", ""], plans: [waits, `${waits === 1 ? "waits" : "wait"} for approval`, "warn"],
    runs: [runs, "not over", "go"], checks: [found, found === 1 ? "finding" : "findings", ""],
  }[link.dataset.view];
  badge.className = number ? kind : "";
  setText(badge, number ? count(number) : "");
  if (number) link.setAttribute("aria-label", `${link.firstChild.textContent}, ${count(number)} ${words}`);
  else link.removeAttribute("aria-label");
}

function showLive(at, store, picture) {
  const ended = picture.cloud?.state.ended;
  at("live").classList.toggle("off", !store.online);
  at("live").classList.toggle("ended", Boolean(ended && store.online));
  setText(at("live-text"), liveWords(store, picture, ended));
}

function liveWords(store, picture, ended) {
  if (!store.ready) return "Connecting";
  if (!store.online) return `Offline since ${duration((performance.now() - store.heard) / 1000)}`;
  if (ended) return "The day is over";
  if (!picture.cloud || !picture.online) return "Live";
  const { load, pace } = picture.cloud.state;
  return `Live, data ${duration(load.age_s + (pace === 1 ? (performance.now() - picture.heard) / 1000 : 0))} old`;
}

function showClock(at, picture) {
  const pace = picture.cloud?.state.pace ?? 1;
  const moment = now();
  setText(at("clock"), `${time(moment, { seconds: pace <= 60 })}${NB}${zone()}`);
  at("clock").setAttribute("datetime", new Date(moment).toISOString());
  at("pace").hidden = pace === 1;
  setText(at("pace"), "time lapse");
  at("pace").title = `a day in about ${duration(86_400 / pace)}; slower while servers move`;
}

/** The banner while the connection is lost, or never was: since when, what is seen, when the next try is due. */
export function lostBanner(element, store, retry, other) {
  const words = h("p");
  const button = h("button", { type: "button" });
  button.addEventListener("click", () => (store.problem?.status === 403 ? other(store.problem) : retry()));
  element.append(words, button);
  return () => {
    element.hidden = store.online || !store.problem || store.problem.status === 401;
    if (element.hidden) return;
    setText(button, store.problem.status === 403 ? "Another token" : "Try now");
    const next = store.again === null ? "" : ` Trying again in ${duration(Math.max(1, (store.again - performance.now()) / 1000))}.`;
    if (!store.ready) words.replaceChildren(h("b", {}, "Nothing can be shown. "), `${sentence(store.problem.detail)}${next}`);
    else {
      const gone = duration((performance.now() - store.heard) / 1000);
      words.replaceChildren(h("b", {}, `Connection lost ${gone} ago, last data of ${zoned(store.heardAt)}. `),
        `${sentence(store.problem.detail)} Moves under way go on without this page; nothing can be decided here until it is back.${next}`);
    }
  };
}
