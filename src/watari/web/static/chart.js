// "Steal today": what was measured, what doing nothing would have brought, and the moves below.

import { NB, change, clock, count, hours, percent, wall } from "./format.js";
import { h, s } from "./dom.js";

const HEIGHT = 150;
const MARGIN = { top: 16, right: 6, bottom: 34, left: 44 };
const DAY = 86_400;
const SERIES = "s per s, all zones";

/** Build the chart in a <figure>; the returned function shows a state. */
export function chart(figure) {
  const sentence = h("figcaption.sr");
  const drawing = s("svg", { role: "img", "aria-label": "Steal today", height: HEIGHT });
  figure.append(head(), drawing, sentence);
  let last = null;
  const show = (state) => {
    last = state;
    const width = Math.max(260, drawing.clientWidth || figure.clientWidth - 28);
    drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    drawing.replaceChildren(...marks(state, width));
    sentence.textContent = inWords(state);
  };
  new ResizeObserver(() => last && show(last)).observe(figure);
  return show;
}

function head() {
  const line = (name) => s(`svg.key.${name}`, { width: 16, height: 8, "aria-hidden": "true" }, s("path", { d: "M0 4H16" }));
  return h("div.head", {}, h("h2", {}, "Steal today"), h("span", {}, SERIES), h("span.grow"),
    h("span.item", {}, line("measured"), "measured"), h("span.item", {}, line("shadow"), "doing nothing"),
    h("span.item", {}, h("i.sw.avoided"), "avoided"), h("span.item", {}, cross(5, 5), "failed"));
}

function cross(x, y) {
  const d = `M${x - 3} ${y - 3}l6 6m0-6l-6 6`;
  return s("svg.cross", { width: 10, height: 10, "aria-hidden": "true" }, s("path", { d }));
}

function marks(state, width) {
  const { chart: day, peaks } = state;
  const from = wall(day.start);
  const right = width - MARGIN.right;
  const base = HEIGHT - MARGIN.bottom;
  const x = (second) => MARGIN.left + ((second - from) / DAY) * (right - MARGIN.left);
  const top = niceTop(Math.max(0, ...day.measured, ...day.shadow, ...day.forecast));
  const y = (cores) => base - (cores / top) * (base - MARGIN.top);
  const slot = (i) => from + i * day.step_s;
  const line = (values, first = 0) => values.map((v, i) => `${i ? "L" : "M"}${x(slot(first + i) + day.step_s / 2).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  const ahead = day.forecast.slice(day.measured.length);
  return [
    ...peaks.flatMap((peak) => band(peak, x, base)),
    ...[0, top / 2, top].flatMap((value) => grid(value, y(value), right)),
    s("path.avoided", { d: area(day.shadow, day.measured, line, x, y, slot, day.step_s) }),
    s("path.forecast", { d: line(ahead, day.measured.length) }),
    s("path.shadow", { d: line(day.shadow) }),
    s("path.measured", { d: line(day.measured) }),
    ...moveTicks(day, x, slot, base),
    ...nowLine(state, x, base),
    ...hourLabels(x, width),
  ];
}

function band(peak, x, base) {
  const [from, to] = [hours(peak.from), hours(peak.to)];
  const spans = from <= to ? [[from, to]] : [[from, DAY], [0, to]];
  return spans.flatMap(([a, b]) => [
    s("rect.peak", { x: x(a), y: MARGIN.top, width: Math.max(1, x(b) - x(a)), height: base - MARGIN.top }),
    s("text", { x: x((a + b) / 2), y: MARGIN.top - 5, "text-anchor": "middle" }, "peak"),
  ]);
}

function grid(value, y, right) {
  return [
    s("path.grid", { d: `M${MARGIN.left} ${Math.round(y) + 0.5}H${right}` }),
    s("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, value > 0 && value < 10 ? String(value) : count(value)),
  ];
}

function area(shadow, measured, line, x, y, slot, step) {
  const n = Math.min(shadow.length, measured.length);
  if (n < 2) return "";
  let back = "";
  for (let i = n - 1; i >= 0; i -= 1) back += `L${x(slot(i) + step / 2).toFixed(1)} ${y(Math.min(shadow[i], measured[i])).toFixed(1)}`;
  return `${line(shadow.slice(0, n))}${back}Z`;
}

function moveTicks(day, x, slot, base) {
  const most = Math.max(1, ...day.done);
  const done = day.done.map((n, i) => (n ? `M${x(slot(i) + day.step_s / 2).toFixed(1)} ${base + 15}v${-(3 + (7 * n) / most).toFixed(1)}` : ""));
  const bad = day.failed.map((n, i) => (n ? `M${x(slot(i) + day.step_s / 2) - 3} ${base + 7}l6 6m0-6l-6 6` : ""));
  return [
    s("text", { x: MARGIN.left - 6, y: base + 15, "text-anchor": "end" }, "moves"),
    s("path.ticks", { d: done.join("") }),
    s("path.cross", { d: bad.join("") }),
  ];
}

function nowLine(state, x, base) {
  if (state.ended) return [];
  const at = x(wall(state.now));
  const left = at > MARGIN.left + 40;
  return [
    s("path.now", { d: `M${at} ${MARGIN.top}V${base + 16}` }),
    s("text.now", { x: at + (left ? -5 : 5), y: MARGIN.top + 9, "text-anchor": left ? "end" : "start" }, "now"),
  ];
}

function hourLabels(x, width) {
  const every = width > 420 ? 3 : 6;
  return Array.from({ length: 24 / every + 1 }, (_, i) => i * every).map((hour) =>
    s("text", { x: x(hour * 3600), y: HEIGHT - 4, "text-anchor": hour === 24 ? "end" : hour === 0 ? "start" : "middle" },
      hour === 24 ? "24:00" : clock(hour * 3600, false)));
}

/** The smallest of 1, 2, 5 × 10ⁿ (or twice it) that holds the value. */
function niceTop(value) {
  if (value <= 0) return 2;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((n) => n * size).find((top) => top >= value);
}

function inWords(state) {
  const { measured, shadow, done, failed } = state.chart;
  if (!measured.length) return "Steal today: nothing measured yet.";
  const total = (values) => values.reduce((a, b) => a + b, 0);
  const highest = measured.indexOf(Math.max(...measured));
  const when = clock(wall(state.chart.start) + highest * state.chart.step_s, false);
  const saved = shadow.length && total(shadow) ? ` That is ${change(total(measured) / total(shadow) - 1)} against doing nothing.` : "";
  return `Steal today: now ${measured.at(-1).toFixed(1)} seconds per second, highest ${measured[highest].toFixed(1)} at ${when}${NB}${state.time_zone}.`
    + `${saved} ${count(total(done))} moves done, ${count(total(failed))} failed.`;
}

/** A small chart of one server's history with its threshold, for the inspector. */
export function history(points, key, limit, name, now, words) {
  const [w, height, base] = [156, 74, 60];
  const values = points.map((point) => point[key]);
  const known = values.filter((value) => value !== null);
  const most = Math.max(limit * 1.6, ...known) || 1;
  const x = (i) => (values.length > 1 ? (i / (values.length - 1)) * (w - 4) : 0);
  const y = (value) => base - (value / most) * (base - 8);
  let d = "";
  values.forEach((value, i) => {
    if (value !== null) d += `${i && values[i - 1] !== null ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  const worst = known.length ? words(Math.max(...known)) : "no data";
  const label = `${name}: now ${now}, highest ${worst}, threshold ${words(limit)}`;
  const last = values.at(-1);
  return h("figure.history", {}, h("figcaption", {}, h("b", {}, name), h("small", {}, now)),
    s("svg", { viewBox: `0 0 ${w} ${height}`, role: "img", "aria-label": label },
      s("path.area", { d: d && known.length === values.length ? `${d}L${x(values.length - 1)} ${base}L0 ${base}Z` : "" }),
      s("path.limit", { d: `M0 ${y(limit)}H${w}` }),
      s("text", { x: 0, y: y(limit) - 4 }, `${words(limit)} threshold`),
      s("path.measured", { d }),
      last === null || last === undefined ? null : s("circle", { cx: x(values.length - 1), cy: y(last), r: 2.5 }),
      s("text", { x: 0, y: height - 2 }, points.length ? clock(wall(points[0].t), false) : ""),
      s("text", { x: w, y: height - 2, "text-anchor": "end" }, "now")));
}

export const shareWords = (value) => percent(value);
