// Which rows of a run say something new from now on, in window.changed.
() => {
  window.changed = new Set();
  const watch = new MutationObserver((all) => {
    for (const { target } of all) window.changed.add(target.closest(".operations > li"));
  });
  const texts = { childList: true, characterData: true, subtree: true };
  for (const told of document.querySelectorAll(".operations .told")) watch.observe(told, texts);
}
