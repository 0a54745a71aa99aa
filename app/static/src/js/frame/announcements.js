// The page's one polite live region, read by screen readers. Texts that come quickly one after another are read
// together. What was read is removed: it is on the page as well, and a reader who moves through it would meet it twice.
import { byId } from "../elements.js";

// Milliseconds.
const COLLECT = 400;
const READ = 2000;

/** @type {string[]} */
let waiting = [];
let timer = 0;

/** @param {string} text */
export function announce(text) {
  if (!text) return;
  waiting.push(text.replace(/\s+/g, " ").trim());
  clearTimeout(timer);
  timer = setTimeout(() => {
    show(waiting.join(". "));
    waiting = [];
    timer = setTimeout(show, READ, "");
  }, COLLECT);
}

/** @param {string} text */
function show(text) {
  const region = byId("status", HTMLElement);
  if (region) region.textContent = text;
}
