// The form that asks for a token when the API does not know who asks.

import { keepToken, token } from "./api.js";
import { h, setText } from "./dom.js";

let shown = null;

/** Ask for a token; `done()` once there is one to try. Called again while it is open, it only says why. */
export function askToken(problem, done) {
  const why = token() ? problem.detail : "";
  if (shown) {
    setText(shown.error, why);
    return;
  }
  const field = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const error = h("p.error", { role: "alert" }, why);
  const form = h("form", {}, h("h1", { id: "login-title" }, "Who asks?"),
    h("p", {}, "The controller answers to those who bring a token. ",
      h("code", {}, "watari serve"), " prints an address with one when it starts; paste that address, or the token alone. With Keystone: ",
      h("code", {}, "openstack token issue -f value -c id"), "."),
    h("label", { for: "token" }, "Token"), field, error,
    h("div.actions", {}, h("button.main", { type: "submit" }, "Go on")),
    h("p.mute", {}, "It is kept in this tab only, and forgotten when the tab is closed."));
  const dialog = h("dialog.ask.login", { "aria-labelledby": "login-title" }, form);
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // behind it there is nothing yet
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    keepToken(/#token=([^&/\s]+)/.exec(text)?.[1] ?? text);
    shown = null;
    dialog.close();
    dialog.remove();
    done();
  });
  shown = { error };
  document.body.append(dialog);
  dialog.showModal();
  field.focus();
}
