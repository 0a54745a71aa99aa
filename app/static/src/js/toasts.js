// What was just done, said once: a toast stays for eight seconds, and as long as the pointer or the focus is on it; one
// with something to do stays until it is dismissed or the page changes.
import { announce } from "./announce.js";
import htmx from "./requests.js";

const STAYS = 8000;

function show(toast) {
  toast.dataset.shown = "yes";
  announce(toast.querySelector("span").textContent);
  toast.querySelector("button.tool")?.addEventListener("click", () => toast.remove());
  if (toast.querySelector("form, a.button")) return;
  let timer = 0;
  const leave = () => toast.remove();
  const start = () => (timer = setTimeout(leave, STAYS));
  const stop = () => clearTimeout(timer);
  toast.addEventListener("pointerenter", stop);
  toast.addEventListener("pointerleave", start);
  toast.addEventListener("focusin", stop);
  toast.addEventListener("focusout", start);
  start();
}

htmx.onLoad(() => document.querySelectorAll(".toast:not([data-shown])").forEach(show));
