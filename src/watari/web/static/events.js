// Server-sent events by fetch, because an EventSource cannot say who asks; it comes back by itself when it breaks.

import { Problem, refusal, who } from "./api.js";

const SILENT_MS = 25_000; // the server says something every 10 s
const WAITS_MS = [1000, 1000, 2000, 4000, 8000, 15_000];

/**
 * Follow a stream until `close()`. `on.event(name, data)` for each event, `on.open()` when it comes,
 * `on.lost(problem, again)` when it goes: `again` is when the next try is due (performance.now()), null if there is none.
 */
export class Stream {
  constructor(path, on) {
    Object.assign(this, { path, on, tries: 0, closed: false, timer: 0, lost: 0 });
    this.connect();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.abort?.abort();
  }

  /** Try again now. */
  retry() {
    if (this.closed || !this.timer) return;
    clearTimeout(this.timer);
    this.connect();
  }

  async connect() {
    this.timer = 0;
    this.abort = new AbortController();
    let problem;
    try {
      const answer = await fetch(this.path, {
        headers: { Accept: "text/event-stream", ...who() }, cache: "no-store", signal: this.abort.signal,
      });
      if (!answer.ok) throw await refusal(answer);
      this.on.open();
      await this.read(answer.body.getReader());
      problem = new Problem(0, "The stream ended", "The controller ended the connection.");
    } catch (error) {
      problem = error instanceof Problem ? error : new Problem(0, "No answer", "The controller does not answer.");
    }
    if (!this.closed) this.again(problem);
  }

  async read(reader) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const silent = setTimeout(() => this.abort.abort(), SILENT_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silent));
      if (done || this.closed) return;
      this.tries = 0;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop();
      for (const block of blocks) this.tell(block);
    }
  }

  tell(block) {
    let name = "message";
    const data = [];
    for (const line of block.split(/\r?\n/)) {
      const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (field === "event") name = value;
      else if (field === "data") data.push(value);
    }
    if (data.length && !this.closed) this.on.event(name, JSON.parse(data.join("\n")));
  }

  again(problem) {
    if (problem.status === 401 || problem.status === 403) {
      this.closed = true;
      this.on.lost(problem, null);
      return;
    }
    const wait = WAITS_MS[Math.min(this.tries, WAITS_MS.length - 1)] * (0.8 + 0.4 * Math.random());
    this.tries += 1;
    this.timer = setTimeout(() => this.connect(), wait);
    this.on.lost(problem, performance.now() + wait);
  }
}
