// The map view: strip, map, chart, moves and inspector, all fed by the picture of one cloud.

import { get } from "./api.js";
import { chart } from "./chart.js";
import { h, setText } from "./dom.js";
import { finder } from "./find.js";
import { plural } from "./format.js";
import { Inspector } from "./inspector.js";
import { CloudMap } from "./map.js";
import { moves } from "./moves.js";
import { notice } from "./notice.js";
import { strip } from "./strip.js";
import { STEPS } from "./theme.js";
import { sentence } from "./words.js";

const SLOW_MS = 150; // text that people read changes a little less often than the map, and never lags behind it by much
const DETAILS_MS = 1500;

/** `open(server id, it was hidden before)`, `close()`, `key(event)`. */
export class MapView {
  constructor(at, store, picture) {
    Object.assign(this, { at, store, picture, shown: false, asked: "", selected: -1, at_ms: 0, slow: 0 });
    this.strip = strip(at("strip"));
    this.chart = chart(at("day"));
    this.moves = moves(at("under-way"), (server) => this.go(server));
    this.notice = notice(at("notice"));
    this.inspector = new Inspector(at("inspector"), { select: (server) => this.go(server), close: () => this.up() });
    this.map = new CloudMap(at("box"), at("tiles"), at("canvas"), {
      select: (server) => this.go(server), clear: () => this.up(), say: (text) => setText(at("say"), text),
      tip: (...about) => showTip(at("tip"), ...about),
    });
    finder(at("find"), at("found"), () => this.names(), ({ kind, index }) => (kind === "host" ? this.visit(index) : this.go(index)));
    legend(at("legend"));
    at("zoom-in").addEventListener("click", () => this.map.zoom(1.5));
    at("zoom-out").addEventListener("click", () => this.map.zoom(1 / 1.5));
    at("zoom-fit").addEventListener("click", () => this.map.fit());
    picture.listen((kind, tick) => this.changed(kind, tick));
  }

  get cloud() {
    return this.picture.cloud;
  }

  open(id, came) {
    this.shown = true;
    const back = this.asked !== "" && id === "" && !came;
    this.asked = id;
    if (this.cloud) this.show();
    else this.missing();
    if (back) this.at("canvas").focus({ preventScroll: true });
  }

  close() {
    this.shown = false;
    this.at("notice").hidden = true;
    showTip(this.at("tip"), null);
  }

  // The picture

  changed(kind, tick) {
    if (!this.shown) return;
    if (!this.cloud) this.missing();
    else if (kind === "state") this.show();
    else if (kind === "tick") {
      this.map.update();
      this.moves(this.cloud);
      if (tick.ended) this.showSlow();
      else this.slow ||= setTimeout(() => this.showSlow(), SLOW_MS);
    }
  }

  /** Everything, for a picture that is new here. */
  show() {
    const { cloud, at } = this;
    const size = `${plural(cloud.hosts.length, "host")} · ${plural(cloud.state.servers.id.length, "server")}`;
    at("map-view").classList.remove("blank");
    setText(at("size"), size);
    at("empty").hidden = cloud.hosts.length > 0;
    setText(at("empty"), "This cloud has no hosts yet. They appear here as soon as nova-compute registers one.");
    at("canvas").setAttribute("aria-label", `Map of ${size.replace(" · ", " and ")}`);
    this.map.show(cloud);
    this.follow();
    this.moves(cloud);
    this.showSlow();
  }

  showSlow() {
    this.slow = 0;
    if (!this.cloud || !this.shown) return;
    this.strip(this.cloud.state); // with the list below: their numbers are of one moment
    this.chart(this.cloud.state);
    this.notice(this.cloud);
    if (!this.asked) this.inspector.list(this.cloud);
    else if (this.selected >= 0 && performance.now() - this.at_ms > DETAILS_MS) this.inspect();
  }

  /** There is no picture (yet): say why, and where else to look. */
  missing() {
    const { at, store, picture } = this;
    at("map-view").classList.add("blank");
    at("empty").hidden = false;
    const why = picture.problem && picture.problem.status ? sentence(picture.problem.detail) : "";
    const none = store.ready && !store.cloud;
    at("empty").replaceChildren(...(none
      ? [h("b", {}, "No cloud is looked after yet"), h("p", {}, "Start a controller for one of clouds.yaml: "), h("code", {}, "watari serve --cloud NAME")]
      : [h("b", {}, why ? `No live picture of ${store.cloud}` : "Waiting for the first reading"), h("p", {}, why),
        h("p", {}, h("a", { href: store.at("plans") }, "Plans"), " and ", h("a", { href: store.at("runs") }, "runs"), " are there all the same.")]));
  }

  // Selection: every state is an address

  go(server) {
    const address = this.store.at("map", this.cloud.state.servers.id[server]);
    if (location.hash === address) this.inspect();
    else location.hash = address;
  }

  up() {
    if (this.asked) location.hash = this.store.at("map");
  }

  visit(host) {
    this.map.go(host);
    this.at("canvas").focus();
    this.map.announce(host);
  }

  names() {
    return this.cloud ? [["host", this.cloud.state.hosts.map(({ name }) => name)], ["server", this.cloud.state.servers.name]] : [];
  }

  follow() {
    const { asked, cloud } = this;
    this.selected = asked ? cloud.state.servers.id.indexOf(asked) : -1;
    this.map.select(this.selected);
    if (this.selected >= 0) this.inspect();
    else if (asked) this.inspector.message(asked, "This cloud has no server with that id. It may have been deleted.");
    else this.inspector.list(cloud);
  }

  async inspect() {
    const { selected: server, cloud, inspector } = this;
    const { id, name } = { id: cloud.state.servers.id[server], name: cloud.state.servers.name[server] };
    this.at_ms = performance.now();
    let details = null;
    try {
      details = await get(`/v1/clouds/${encodeURIComponent(this.store.cloud)}/servers/${encodeURIComponent(id)}`);
    } catch (problem) {
      const offline = "Offline: its details come when the connection is back.";
      if (server === this.selected && inspector.shown !== id) inspector.message(name, problem.status ? problem.detail : offline);
      return;
    }
    if (server !== this.selected || cloud !== this.cloud) return;
    inspector.details(details, cloud);
    const ranked = details.candidates.filter(({ score }) => score !== null).slice(0, 3).map(({ host }) => cloud.host(host));
    this.map.select(server, ranked.filter((host) => host >= 0));
  }

  /** @returns whether the key meant something here. */
  key({ key }) {
    if (key === "/") this.at("find").focus();
    else if (key === "Escape") this.up();
    else if (key === "+" || key === "=") this.map.zoom(1.5);
    else if (key === "-" || key === "−") this.map.zoom(1 / 1.5);
    else if (key === "0") this.map.fit();
    else return false;
    return true;
  }
}

function showTip(tip, content, x, y) {
  tip.hidden = !content;
  if (!content) return;
  const rows = content.rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
  tip.replaceChildren(h("b", {}, content.title), ...(content.note ? [h("p", {}, content.note)] : []), h("dl", {}, rows));
  tip.style.left = `${Math.min(x + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 12 : y + 18}px`;
}

function legend(list) {
  list.append(...STEPS.map((name, step) => h("li", {}, h(`i.sw.s${step}`), name)),
    h("li", {}, h("i.sw.outlined"), "starved"), h("li.less", {}, h("i.sw.none"), "no data"),
    h("li.less", {}, h("i.lanes"), "CPU, memory"));
}
