// Move through a list with the keyboard: one row is in the tab order, arrows go from row to row.

/** Make the elements that `selector` finds in `box` a list of one tab stop. Call the result after rows have changed. */
export function roving(box, selector) {
  const items = () => [...box.querySelectorAll(selector)];
  const keep = (chosen) => {
    for (const item of items()) item.tabIndex = item === chosen ? 0 : -1;
  };
  box.addEventListener("focusin", (event) => {
    const item = event.target.closest(selector);
    if (item) keep(item);
  });
  box.addEventListener("keydown", (event) => {
    if (!event.target.matches?.(selector) || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = items();
    const here = all.indexOf(event.target);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    all[Math.max(0, Math.min(all.length - 1, to))]?.focus();
  });
  return () => {
    const all = items();
    keep(all.find((item) => item.tabIndex === 0 && item === document.activeElement) ?? all.find((item) => item.tabIndex === 0) ?? all[0]);
  };
}
