// Build and update elements without ever parsing text as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: h("p.mute", {title: "…"}, "text", child, …). Null and false children are left out. */
export function h(spec, attributes = {}, ...children) {
  return fill(make(document.createElement(spec.split(".")[0]), spec, attributes), children);
}

/** The same for SVG. */
export function s(spec, attributes = {}, ...children) {
  return fill(make(document.createElementNS(SVG, spec.split(".")[0]), spec, attributes), children);
}

/** Change the text only if it differs, so that selections and screen readers are left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make `parent`'s children those of `rows`, keeping elements by key: create(row) once, update(element, row) each time. */
export function keyed(parent, rows, key, create, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let at = parent.firstElementChild;
  for (const row of rows) {
    const name = String(key(row));
    let element = old.get(name);
    if (element) old.delete(name);
    else {
      element = create(row);
      element.dataset.key = name;
    }
    update(element, row);
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  for (const gone of old.values()) gone.remove();
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function make(element, spec, attributes) {
  const classes = spec.split(".").slice(1).join(" ");
  if (classes) element.setAttribute("class", classes);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  return element;
}

function fill(element, children) {
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
