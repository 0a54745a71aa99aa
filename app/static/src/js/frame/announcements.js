// The polite live region that screen readers read: the page's, or that of an open dialog, outside of which nothing is
// read. Texts that come quickly one after another are read together. What was read is removed: it is on the page as
// well, and a reader who moves through it would meet it twice.
import { all, byId, create, find } from "../elements.js";

// Milliseconds.
const COLLECT = 400;
const READ = 2000;

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
    show(waiting.join(". "));
    waiting = [];
    timer = setTimeout(show, READ, "");
  }, COLLECT);
}

/** @param {string} text */
function show(text) {
  const element = region();
  if (element) element.textContent = text;
}
