// The cloud's clock, and times as people read them: in one zone all over the page, which is always named.

import { ahead } from "./api.js";
import { NB, duration } from "./format.js";

const DAY_MS = 86_400_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
let picture = null; // {at: ms of the cloud, heard: performance.now(), pace, offset: ms or null, zone}

/** Take over the clock of a cloud's picture: a time lapse has one of its own, and a zone. null: there is none. */
export function setPicture(state) {
  if (!state) {
    picture = null;
    return;
  }
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(state.now) ?? [];
  const offset = sign ? (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000 : 0;
  picture = { at: Date.parse(state.now), heard: performance.now(), pace: state.pace, offset, zone: state.time_zone };
}

/** Now, in ms since 1970, by the cloud's clock. */
export function now() {
  if (!picture) return Date.now() + ahead();
  return picture.at + (picture.pace === 1 ? performance.now() - picture.heard : 0);
}

/** What the cloud's clock said so many ms ago, as far as this page heard of it. */
export const back = (ms) => (picture && picture.pace !== 1 ? picture.at : now() - ms);

/** How the zone is called in which all times are shown: that of the cloud's picture, else this browser's. */
export function zone() {
  if (picture) return picture.zone;
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(new Date());
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "local time";
}

/** A moment as a Date whose UTC fields are the wall clock. */
function wallClock(ms) {
  const offset = picture ? picture.offset : -new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms + offset);
}

const two = (n) => String(n).padStart(2, "0");

/** "14:21:16", or "13 Jun 14:21:16" on another day. Takes ISO text or ms. */
export function time(at, { seconds = true } = {}) {
  const ms = typeof at === "number" ? at : Date.parse(at);
  const wall = wallClock(ms);
  const clock = `${two(wall.getUTCHours())}:${two(wall.getUTCMinutes())}${seconds ? `:${two(wall.getUTCSeconds())}` : ""}`;
  const same = Math.floor(wall.getTime() / DAY_MS) === Math.floor(wallClock(now()).getTime() / DAY_MS);
  return same ? clock : `${wall.getUTCDate()}${NB}${MONTHS[wall.getUTCMonth()]} ${clock}`;
}

/** "14:21:16 JST" */
export const zoned = (at) => `${time(at)}${NB}${zone()}`;

/** Seconds from a moment to now; negative while it is ahead. */
export const since = (at) => (now() - Date.parse(at)) / 1000;

/** "40 s ago", "just now" */
export function ago(at) {
  const seconds = since(at);
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

/** "expires in 4 min 20 s", "expired 3 min ago" */
export function expiry(at) {
  const left = -since(at);
  return left > 0 ? `expires in ${duration(left)}` : `expired ${duration(-left)} ago`;
}

/** The seconds since midnight at which a tick of a time axis reads well: a step of so many seconds. */
export function ticks(from, to, most) {
  const steps = [10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];
  const step = 1000 * (steps.find((s) => (to - from) / (s * 1000) <= most) ?? 2_592_000);
  const shift = wallClock(from).getTime() - from;
  const first = Math.ceil((from + shift) / step) * step - shift;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, i) => first + i * step);
}
