// The page's one polite live region, read by screen readers. Texts that come quickly one after another are read
// together.
import { byId } from "../elements.js";

const COLLECT = 400; // milliseconds

/** @type {string[]} */
let waiting = [];
let timer = 0;

/** @param {string} text */
export function announce(text) {
  if (!text) return;
  waiting.push(text.replace(/\s+/g, " ").trim());
  clearTimeout(timer);
  timer = setTimeout(() => {
    const region = byId("status", HTMLElement);
    if (region) region.textContent = waiting.join(". ");
    waiting = [];
  }, COLLECT);
}
