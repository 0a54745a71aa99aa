// The polite live region that screen readers read: the page's, or that of an open dialog, outside of which nothing is
// read. Texts that come quickly one after another are read together.
import { all, byId, create, find } from "../elements.js";

const COLLECT = 400; // milliseconds

/** @type {string[]} */
let waiting = [];
let timer = 0;

/** @returns {HTMLElement | null} */
function region() {
  const dialog = all(document, "dialog:modal", HTMLDialogElement).at(-1);
  if (!dialog) return byId("status", HTMLElement);
  const there = find(dialog, ":scope > [role=status]", HTMLElement);
  if (!there) dialog.append(create("div", { className: "vh", role: "status" }));
  return there ?? region();
}

/** @param {string} text */
export function announce(text) {
  if (!text) return;
  waiting.push(text.replace(/\s+/g, " ").trim());
  clearTimeout(timer);
  region(); // so that it is there before its text
  timer = setTimeout(() => {
    const element = region();
    if (element) element.textContent = waiting.join(". ");
    waiting = [];
  }, COLLECT);
}
