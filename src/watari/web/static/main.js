// Put the page together: who asks, what is shared, the views, addresses and keys.

import { address, handedOver, parse } from "./address.js";
import { keepToken, onUnknown } from "./api.js";
import { h, setText } from "./dom.js";
import { showKeys } from "./keys.js";
import { askToken } from "./login.js";
import { Picture } from "./picture.js";
import { setStop, statusLine } from "./status.js";
import { Store } from "./store.js";
import { startTheme } from "./theme.js";
import { lostBanner, topBar } from "./top.js";
import { checksView } from "./view_checks.js";
import { MapView } from "./view_map.js";
import { planView } from "./view_plan.js";
import { plansView } from "./view_plans.js";
import { runView } from "./view_run.js";
import { runsView } from "./view_runs.js";
import { zone, zoned } from "./times.js";
import { empty } from "./words.js";

const PAGES = { plans: plansView, plan: planView, runs: runsView, run: runView, checks: checksView };
const TITLES = { map: "Map", plans: "Plans", plan: "Plan", runs: "Runs", run: "Run", checks: "Checks" };
const PICTURE_MS = 1000;
const at = (id) => document.getElementById(id);

takeToken();
startTheme(at("theme"));
const store = new Store();
const picture = new Picture();
const map = new MapView(at, store, picture);
const showTop = topBar(at, store, picture);
const showStatus = statusLine(at("status"), store);
const showBanner = lostBanner(at("lost"), store, retry, whoAsks);
let page = null; // the view that is open, if it is not the map: {close, tick?, key?}
let shown = "";
let shownIn = ""; // the zone of its times
let wasOnline = true;

store.listen((kind, body) => {
  if (kind === "chosen" || kind === "all") picture.follow(store.cloud);
  if (kind === "link") linked();
  if (kind === "all" && !shown) begin();
  if (kind === "chosen" && page) route();
  if (kind !== "operation" && kind !== "journal") showShared();
  if (body && kind === "run" && body.state !== "running") setText(at("say"), `Run ${body.id}: ${body.state}`);
});
picture.listen((kind) => {
  showTop(parse(location.hash).view);
  if (kind === "state" && page && shownIn !== zone()) { // its times were of another zone
    shown = "";
    route();
  }
});
onUnknown(whoAsks);
store.start();
setInterval(() => store.look().catch(() => undefined), 10_000);
setInterval(() => {
  showShared();
  page?.tick?.();
}, 1000);

function takeToken() {
  const found = handedOver(location.hash);
  if (!found) return;
  keepToken(found.token);
  history.replaceState(null, "", found.rest); // a token does not stay in the address, nor in the history
}

function whoAsks(problem) {
  askToken(problem, () => {
    store.start();
    picture.begin();
  });
}

function retry() {
  store.retry();
  picture.retry();
}

function linked() {
  if (store.online !== wasOnline && store.ready) {
    setText(at("say"), store.online ? "Connected again" : `Connection lost. Last data of ${zoned(store.heardAt)}`);
  }
  wasOnline = store.online;
}

function showShared() {
  document.body.classList.toggle("offline", store.ready && !store.online);
  showTop(parse(location.hash).view);
  showStatus();
  showBanner();
}

/** The first view; one with times waits a moment for the picture, which says in what zone they are. */
function begin() {
  if (parse(location.hash).view === "map" || !store.cloud || picture.cloud) return route();
  const done = () => {
    clearTimeout(timer);
    stop();
    if (!shown) route();
  };
  const timer = setTimeout(done, PICTURE_MS);
  const stop = picture.listen((kind) => (kind === "state" || picture.problem) && done());
  return undefined;
}

/** Show what the address asks for. */
function route() {
  const { view, id, cloud } = parse(location.hash);
  if (cloud && cloud !== store.cloud && store.clouds.has(cloud)) {
    store.choose(cloud); // and comes back here if a page is open
    if (page) return undefined;
  }
  if (cloud && !store.clouds.has(cloud)) return unknown(cloud);
  const key = `${store.cloud} ${view} ${id}`;
  const first = !shown;
  document.title = `Watari · ${store.cloud}${store.cloud ? " · " : ""}${id ? `${TITLES[view]} ${id}` : TITLES[view]}`;
  if (view === "map") openMap(id);
  else if (key !== shown) openPage(view, id);
  shown = key;
  showShared();
  if (view !== "map" && !first) at("page").querySelector("h1")?.focus({ preventScroll: true });
  return undefined;
}

/** Never another cloud than the one that the address names. */
function unknown(cloud) {
  const names = [...store.clouds.keys()];
  shown = `unknown ${cloud}`;
  openPage(null);
  at("page").firstChild.append(h("header.title", {}, h("h1", { tabindex: "-1", dir: "auto" }, cloud)),
    empty("No controller looks after a cloud of that name", ...names.map((name) => h("a", { href: address("map", "", name) }, name))));
}

function openMap(id) {
  const came = at("map-view").hidden;
  closePage();
  at("page").hidden = true;
  at("map-view").hidden = false;
  map.open(id, came);
}

function openPage(view, id) {
  closePage();
  shownIn = zone();
  map.close();
  at("map-view").hidden = true;
  at("page").hidden = false;
  const root = h("article");
  at("page").replaceChildren(root);
  at("page").scrollTop = 0;
  page = view && PAGES[view](root, { store, picture, say: (text) => setText(at("say"), text), go: (to) => (location.hash = to) }, id);
}

function closePage() {
  page?.close();
  page = null;
}

addEventListener("hashchange", () => {
  if (handedOver(location.hash)) {
    takeToken();
    store.start();
  }
  if (store.ready) route();
});

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const views = { 1: "map", 2: "plans", 3: "runs", 4: "checks" };
  if (views[event.key]) location.hash = store.at(views[event.key]);
  else if (event.key === "?") showKeys(parse(location.hash).view);
  else if (event.key === "!" && store.may("stop") && store.shown && !store.shown.stop) setStop(store);
  else if (!(page ? page.key?.(event) : map.key(event))) return;
  event.preventDefault();
});
at("help").addEventListener("click", () => showKeys(parse(location.hash).view));
at("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address belongs to the view
  (page ? at("page").querySelector("h1") : at("canvas")).focus();
});
