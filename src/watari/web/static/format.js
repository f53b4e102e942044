// Numbers with their units, times with their zone: the words that every part of the page shares.

export const NB = "\u00a0";
const MINUS = "−";
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 12,345 */
export const count = (n) => grouped.format(n);

/** "1 server", "13 servers" */
export const plural = (n, noun) => `${count(n)}${NB}${noun}${n === 1 ? "" : "s"}`;

/** A share as "16 %"; under 1 % with one decimal. */
export function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 0.05) return `<${NB}0.1${NB}%`;
  return `${value > 0 && value < 0.95 ? value.toFixed(1) : count(Math.round(value))}${NB}%`;
}

/** A change as "−53 %" or "+4 %". */
export function change(share) {
  const value = Math.round(share * 100);
  return `${value < 0 ? MINUS : value > 0 ? "+" : ""}${Math.abs(value)}${NB}%`;
}

/** [number, prefix] of three or four digits: 5691234 is ["5.69", "M"]. */
export function scaled(n) {
  for (const [size, prefix] of [[1e9, "G"], [1e6, "M"]]) {
    if (n >= size) return [(n / size).toFixed(n >= 100 * size ? 0 : 2), prefix];
  }
  return [count(n), ""];
}

/** [number, unit] of an amount of data, GiB or TiB. */
export function data(mib) {
  const gib = mib / 1024;
  if (gib >= 100_000) return [count(gib / 1024), "TiB"];
  return [gib < 10 && !Number.isInteger(gib) ? gib.toFixed(1) : count(gib), "GiB"];
}

/** "16 GiB", "512 MiB" */
export const memory = (mib) => (mib < 1024 ? `${count(mib)}${NB}MiB` : data(mib).join(NB));

/** "412 MiB/s", "2.1 GiB/s" */
export const rate = (mib) => (mib >= 1024 ? `${(mib / 1024).toFixed(1)}${NB}GiB/s` : `${count(mib)}${NB}MiB/s`);

/** "47 s", "2 min 26 s", "1 h 5 min", "3 d 2 h" */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}${NB}s`;
  const [size, unit, small, part] =
    s < 3600 ? [60, "min", 1, "s"] : s < 86_400 ? [3600, "h", 60, "min"] : [86_400, "d", 3600, "h"];
  const rest = Math.floor((s % size) / small);
  return `${Math.floor(s / size)}${NB}${unit}${rest ? ` ${rest}${NB}${part}` : ""}`;
}

/** Seconds since midnight of the wall clock that an ISO time says; the browser's own zone plays no part. */
export function wall(iso) {
  const [, hours, minutes, seconds] = /T(\d+):(\d+):?(\d+)?/.exec(iso);
  return hours * 3600 + minutes * 60 + Number(seconds ?? 0);
}

/** "14:21:16", or "14:21" */
export function clock(seconds, withSeconds = true) {
  const parts = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return parts.slice(0, withSeconds ? 3 : 2).map((part) => String(part).padStart(2, "0")).join(":");
}

/** "HH:MM" as seconds since midnight. */
export const hours = (text) => wall(`T${text}`);
