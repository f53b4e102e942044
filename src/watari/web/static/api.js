// Ask the API: one token, one kind of error, JSON both ways.

const KEY = "watari.token";
const PATIENCE_MS = 30_000;
const listeners = new Set();
let skew = 0; // ms that the server's clock is ahead of this one

/** What the API, or the way to it, says no with: `detail` tells what to do. `status` 0: no answer at all. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    Object.assign(this, { status, title, detail: detail || title });
  }
}

/** The token of this tab, or "". It is gone when the tab is closed. */
export function token() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return memory;
  }
}

let memory = ""; // of a browser that keeps nothing

export function keepToken(text) {
  memory = text;
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // Then it lasts as long as this page does.
  }
}

/** Call `listener(problem)` whenever the API wants to know who asks. */
export function onUnknown(listener) {
  listeners.add(listener);
}

/** The headers that say who asks. */
export const who = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** Milliseconds that the server's clock is ahead of this browser's. */
export const ahead = () => skew;

/** @returns {Promise<any>} the answer's body. Throws Problem. */
export const get = (path) => ask("GET", path);

/** @returns {Promise<any>} the answer's body. Throws Problem. */
export const send = (method, path, body = {}) => ask(method, path, body);

/** A path with its query; what is empty is left out. */
export function query(path, parameters) {
  const found = Object.entries(parameters).flatMap(([name, value]) =>
    [value].flat().filter((one) => one !== "" && one !== null && one !== undefined).map((one) => [name, String(one)]));
  return found.length ? `${path}?${new URLSearchParams(found)}` : path;
}

async function ask(method, path, body) {
  const headers = { Accept: "application/json", ...who(), ...(body ? { "Content-Type": "application/json" } : {}) };
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, cache: "no-store", body: body && JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    const maybe = method === "GET" ? "" : " It may have been heard: look before you send it again.";
    throw new Problem(0, "No answer", `The controller does not answer.${maybe}`);
  }
  setClock(answer);
  if (answer.status === 204) return null;
  if (answer.ok) return answer.json();
  throw await refusal(answer);
}

/** What a refusing answer says, whoever wrote it: the API, or a proxy on the way. */
export async function refusal(answer) {
  let told = {};
  try {
    told = await answer.json();
  } catch {
    // No JSON: something between here and the API answered.
  }
  const title = told.title || answer.statusText || `status ${answer.status}`;
  const problem = new Problem(answer.status, title, told.detail || `The server answers ${answer.status} ${title}.`);
  if (answer.status === 401) for (const listener of listeners) listener(problem);
  return problem;
}

function setClock(answer) {
  const told = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(told)) return;
  const found = told - Date.now();
  skew = Math.abs(found) > 2000 ? found : 0; // the header has whole seconds
}
