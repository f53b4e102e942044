// A list that is read page by page: newest first, filtered, kept up to date by events, with one tab stop.

import { get, query } from "./api.js";
import { h, keyed, setText } from "./dom.js";
import { roving } from "./rows.js";
import { empty } from "./words.js";

const PAGE = 50;

/**
 * Build a list in `root`. Rows are `<a>` elements, made once per id and filled again when something about them changed.
 *
 * @param {HTMLElement} root
 * @param {object} context the store and so on
 * @param {object} about
 * @param {string} about.path of the API
 * @param {string} about.kind of the events: `plan` or `run`
 * @param {{name: string, query: object, takes: (item: object) => boolean}[]} about.filters
 * @param {string[]} about.columns headings
 * @param {(item: object) => HTMLElement} about.create a row
 * @param {(row: HTMLElement, item: object) => void} about.fill
 * @param {(filter: number) => HTMLElement} about.none what is said of an empty list
 */
export function listing(root, { store }, about) {
  const body = h("div.rows");
  const more = h("button", { type: "button", hidden: true }, "Show earlier ones");
  const error = h("p.error", { role: "alert", hidden: true });
  const none = h("div");
  const tabs = h("div.group", { role: "group", "aria-label": "Which" });
  const head = h(`div.row.heads`, { "aria-hidden": "true" }, about.columns.map((name) => h("span", {}, name)));
  const list = h(`section.card.list.${about.kind}s`, {}, head, body);
  const arrange = roving(body, "a.row");
  let items = new Map();
  let next = null;
  let filter = 0;
  let asked = 0;

  const buttons = about.filters.map(({ name }, n) => {
    const button = h("button", { type: "button" }, name);
    button.addEventListener("click", () => choose(n));
    return button;
  });
  tabs.append(...buttons);
  more.addEventListener("click", () => read(next));
  root.append(h("div.tabs", {}, tabs), list, none, error, h("div.more", {}, more));

  const show = () => {
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(n === filter)));
    keyed(body, [...items.values()], ({ id }) => id, about.create, about.fill);
    list.hidden = items.size === 0;
    more.hidden = !next;
    arrange();
  };
  const choose = (n) => {
    filter = n;
    read(null);
  };
  const read = async (after) => {
    const mine = ++asked;
    try {
      const answer = await get(query(about.path, { cloud: store.cloud, ...about.filters[filter].query, after, limit: PAGE }));
      if (mine !== asked) return;
      items = new Map([...(after ? items : []), ...answer.items.map((item) => [item.id, item])]);
      next = answer.next;
      error.hidden = true;
      none.replaceChildren(...(items.size ? [] : [about.none(filter)]));
    } catch (problem) {
      if (mine !== asked) return;
      error.hidden = false;
      setText(error, problem.detail ?? String(problem));
    }
    show();
  };
  const change = (kind, item) => {
    if (kind === "all") read(null);
    if (kind !== about.kind || item.cloud !== store.cloud) return;
    const takes = about.filters[filter].takes(item);
    if (!takes && !items.has(item.id)) return;
    if (items.has(item.id) && takes) items.set(item.id, item);
    else if (takes) items = new Map([[item.id, item], ...items]);
    else items.delete(item.id);
    none.replaceChildren(...(items.size ? [] : [about.none(filter)]));
    show();
  };
  const stop = store.listen(change);
  read(null);
  return {
    close: stop,
    tick: () => [...body.children].forEach((row) => items.has(row.dataset.key) && about.fill(row, items.get(row.dataset.key))),
    choose,
    key: ({ key }) => {
      if (key !== "ArrowDown") return false;
      body.querySelector("a.row")?.focus();
      return true;
    },
  };
}

/** The heading of a view, focused when it opens, with what stands beside it. */
export function title(words, ...beside) {
  return h("header.title", {}, h("h1", { tabindex: "-1", dir: "auto" }, words), beside);
}

export { empty };
