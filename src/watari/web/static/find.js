// Find a server or a host by its name: a combobox with the best matches.

import { h } from "./dom.js";

const MOST = 8;

/** `pick({kind, index, name})` is called for the chosen one; `names()` lists [kind, names] pairs. */
export function finder(input, list, names, pick) {
  let found = [];
  let at = -1;

  const close = () => {
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (match) => {
    input.value = "";
    close();
    if (match) pick(match);
  };
  const show = () => {
    found = matches(input.value.trim().toLowerCase(), names());
    const typed = input.value.trim() !== "";
    list.replaceChildren(...found.map((match, i) => option(match, i, at, () => choose(match))));
    if (typed && !found.length) list.append(h("li.mute", { role: "option", "aria-disabled": "true" }, "No server or host has that name"));
    list.hidden = !typed;
    input.setAttribute("aria-expanded", String(typed));
    if (at >= 0) input.setAttribute("aria-activedescendant", `found-${at}`);
  };

  input.addEventListener("input", () => {
    at = -1;
    show();
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!found.length) return;
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
      show();
    } else if (event.key === "Enter") choose(found[Math.max(0, at)]);
    else if (event.key === "Escape") {
      input.value = "";
      close();
      input.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function option({ kind, name }, i, at, choose) {
  const row = h("li", { role: "option", id: `found-${i}`, "aria-selected": String(i === at) }, h("span", {}, name), h("small", {}, kind));
  row.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // else the input's blur closes the list first
    choose();
  });
  return row;
}

/** Names that are the text, then those that begin with it, then those that hold it. */
function matches(text, groups) {
  if (!text) return [];
  const ranked = [[], [], []];
  for (const [kind, names] of groups) {
    for (let index = 0; index < names.length && ranked[0].length < MOST; index += 1) {
      const place = names[index].toLowerCase().indexOf(text);
      if (place < 0) continue;
      const rank = place > 0 ? 2 : names[index].length === text.length ? 0 : 1;
      if (ranked[rank].length < MOST) ranked[rank].push({ kind, index, name: names[index] });
    }
  }
  return ranked.flat().slice(0, MOST);
}
