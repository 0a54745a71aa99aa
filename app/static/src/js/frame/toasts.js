// What was just done, said once. A toast goes after eight seconds, and stays while the pointer or the focus is on it.
// One that offers an action stays until it is dismissed or the page changes.
import { all, find, need } from "../elements.js";
import { onLoad } from "../htmx-setup.js";
import { announce } from "./announcements.js";

const SHOWN = 8000; // milliseconds

/** @param {HTMLElement} toast */
function show(toast) {
  toast.dataset.shown = "yes";
  announce(need(toast, "span", HTMLElement).textContent);
  find(toast, "button.tool", HTMLButtonElement)?.addEventListener("click", () => toast.remove());
  if (toast.querySelector("form, a.button")) return;
  let timer = 0;
  const start = () => (timer = setTimeout(() => toast.remove(), SHOWN));
  const stop = () => clearTimeout(timer);
  toast.addEventListener("pointerenter", stop);
  toast.addEventListener("pointerleave", start);
  toast.addEventListener("focusin", stop);
  toast.addEventListener("focusout", start);
  start();
}

onLoad(() => all(document, ".toast:not([data-shown])", HTMLElement).forEach(show));
