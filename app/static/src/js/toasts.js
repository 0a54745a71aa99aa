// What was just done, said once: a toast stays for eight seconds, and as long as the pointer or the focus is on it. One
// with something to do stays until it is dismissed, or until the next page.
import { announce } from "./announce.js";
import htmx from "./requests.js";

const STAYS = 8000;

function show(toast) {
  toast.dataset.shown = "yes";
  announce(toast.textContent);
  if (toast.querySelector("a.button")) return toast.querySelector("button").addEventListener("click", () => toast.remove());
  let timer = 0;
  const leave = () => toast.remove();
  const start = () => (timer = setTimeout(leave, STAYS));
  const stop = () => clearTimeout(timer);
  toast.addEventListener("pointerenter", stop);
  toast.addEventListener("pointerleave", start);
  toast.addEventListener("focusin", stop);
  toast.addEventListener("focusout", start);
  toast.querySelector("button")?.addEventListener("click", leave);
  start();
}

htmx.onLoad(() => document.querySelectorAll(".toast:not([data-shown])").forEach(show));
