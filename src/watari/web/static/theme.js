// Light or dark, and the colours as the canvas needs them.

const NAMES = ["bg", "panel", "sunk", "line", "edge", "ink", "ink-2", "ink-3", "accent", "on-accent", "accent-soft", "ok",
  "warn", "bad", "s0", "s1", "s2", "s3", "s4"];
const LEVELS = [0.02, 0.05, 0.1, 0.2];
const KEY = "watari.theme";
const listeners = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");

/** Every colour token of style.css, resolved for the theme that holds: colours.accent, colours["ink-2"]. */
export const colours = {};

/** What the steps of the ramp are called, and their class. */
export const STEPS = ["<\u00a02\u00a0%", "2–5\u00a0%", "5–10\u00a0%", "10–20\u00a0%", "≥\u00a020\u00a0%"];

/** The step 0-4 of a steal given in permille; -1 without data. */
export function level(permille) {
  if (permille < 0) return -1;
  let step = 0;
  while (step < LEVELS.length && permille >= LEVELS[step] * 1000) step += 1;
  return step;
}

export const steps = () => [colours.s0, colours.s1, colours.s2, colours.s3, colours.s4];

/** Call `listener` now and whenever the colours change, until what this gives is called. */
export function onTheme(listener) {
  listeners.add(listener);
  listener();
  return () => listeners.delete(listener);
}

export function startTheme(button) {
  const asked = new URLSearchParams(location.search).get("theme") ?? stored();
  if (asked === "light" || asked === "dark") document.documentElement.dataset.theme = asked;
  resolve();
  system.addEventListener("change", () => resolve());
  button.addEventListener("click", () => {
    const dark = (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem(KEY, dark ? "light" : "dark");
    } catch {
      // A browser that keeps nothing still switches.
    }
    resolve();
  });
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

// getComputedStyle returns light-dark() of a custom property as written; used as a colour it is resolved.
function resolve() {
  const probe = document.body.appendChild(document.createElement("i"));
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  for (const listener of listeners) listener();
}
