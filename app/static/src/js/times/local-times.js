// The <time> elements of a page in the reader's zone and words, written again every second. The server writes each
// moment once, in UTC, so that one rendered fragment serves everybody.
import { all, find, setText } from "../elements.js";
import { onLoad } from "../htmx-setup.js";
import { formOf, fullTime, zoneName } from "./time-words.js";

const MIN_SKEW = 5000; // milliseconds; less is the time that the page took to arrive, not a wrong clock

// The clocks of server and reader may differ. The page carries what the server's clock showed when it was made.
let skew = 0;

/** What the server's clock shows now. */
export const serverNow = () => new Date(Date.now() + skew);

/**
 * @param {HTMLTimeElement} element
 * @param {Date} [now]
 */
export function localise(element, now = serverNow()) {
  const at = new Date(element.dateTime);
  const form = formOf(element.dataset.as);
  if (!form || Number.isNaN(at.getTime())) return;
  setText(element, form(at, now));
  const title = fullTime(at);
  if (element.title !== title) element.title = title;
}

/** @param {ParentNode} root */
export function localiseAll(root = document) {
  const now = serverNow();
  for (const element of all(root, "time[data-as]", HTMLTimeElement)) localise(element, now);
}

/** @param {HTMLElement} element  with the time at which the server made the page */
function readClock(element) {
  if (element.dataset.read) return;
  element.dataset.read = "yes";
  const difference = Date.parse(element.dataset.madeAt ?? "") - Date.now();
  skew = Math.abs(difference) > MIN_SKEW ? difference : 0;
}

onLoad((root) => {
  const element = find(root, "[data-made-at]", HTMLElement) ?? find(document, "[data-made-at]", HTMLElement);
  if (element) readClock(element);
  localiseAll(root);
  for (const zone of all(document, "[data-zone]", HTMLElement)) zone.textContent = `Times are local (${zoneName()}).`;
});

setInterval(() => {
  if (!document.hidden) localiseAll();
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) localiseAll();
});
