// Questions that stand between a button and what it does: what happens, a reason, and for what cannot be undone a word.

import { h, setText } from "./dom.js";

/**
 * Ask, then act. The dialog stays open with the reason when the API says no.
 *
 * @param {object} about
 * @param {string} about.title a question
 * @param {(Node|string)[]} about.text what happens, in paragraphs
 * @param {string} about.verb the button that does it
 * @param {boolean} [about.danger]
 * @param {"required"|"optional"|"none"} about.why whether a reason is asked for
 * @param {string} [about.hint] an example of a reason
 * @param {string} [about.word] what has to be typed
 * @param {Node[]} [about.fields] further fields of the form
 * @param {(why: string, form: HTMLFormElement) => Promise<any>} about.act throws Problem
 * @returns {Promise<any>} what `act` gave, or null if it was put away
 */
export function ask(about) {
  const why = h("textarea", { id: "dialog-why", rows: 2, maxlength: 1000, placeholder: about.hint ?? "", required: about.why === "required" });
  const word = h("input", { id: "dialog-word", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const error = h("p.error", { role: "alert", hidden: true });
  const back = h("button", { type: "button" }, "Back");
  const go = h(about.danger ? "button.danger" : "button.main", { type: "submit" }, about.verb);
  const form = h("form", {}, h("h2", { id: "dialog-title" }, about.title),
    h("div.words", { id: "dialog-text" }, about.text.map((text) => h("p", {}, text))), about.fields,
    about.why !== "none" && h("label", { for: "dialog-why" }, about.why === "required" ? "Reason (others will read it)" : "Reason (optional)"),
    about.why !== "none" && why,
    about.word && h("label", { for: "dialog-word" }, "Type ", h("code", { dir: "auto" }, about.word), " to go on"), about.word && word,
    error, h("div.actions", {}, back, go));
  const dialog = h("dialog.ask", { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" }, form);
  const before = document.activeElement;
  document.body.append(dialog);

  return new Promise((resolve) => {
    let result = null;
    const ready = () => {
      go.disabled = (about.why === "required" && !why.value.trim()) || (Boolean(about.word) && word.value.trim() !== about.word);
    };
    back.addEventListener("click", () => dialog.close());
    form.addEventListener("input", ready);
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (go.disabled) return;
      go.disabled = true;
      error.hidden = true;
      try {
        result = (await about.act(why.value.trim(), form)) ?? true;
        dialog.close();
      } catch (problem) {
        error.hidden = false;
        setText(error, problem.detail ?? String(problem));
        ready();
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before?.isConnected) before.focus({ preventScroll: true });
      resolve(result);
    });
    ready();
    dialog.showModal();
    const first = about.fields?.[0]?.querySelector?.("input, select, textarea");
    (first ?? (about.why !== "none" ? why : about.word ? word : go)).focus();
  });
}
