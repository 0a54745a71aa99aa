// Why something that was pressed did not work, beside it: the page stays as it is, with what was typed.
import { byId, find, fromTemplate, need } from "../elements.js";

/**
 * Where the notice of this element is shown: in its dialog, before its form, or at the top of the page.
 * @param {Element} element
 * @returns {[parent: Element | null, before: Element | null]}
 */
function placeOf(element) {
  const dialog = element.closest("dialog");
  if (dialog) return [dialog, dialog.firstElementChild];
  const form = element.closest("main form.form, main .panel form");
  if (form) return [form, form.firstElementChild];
  const main = byId("main", HTMLElement);
  return [main, main?.firstElementChild ?? null];
}

/**
 * @param {Element} element  what was pressed, or its form
 * @param {string} title
 * @param {string} text
 */
export function showProblem(element, title, text) {
  removeProblem(element);
  const [parent, before] = placeOf(element);
  if (!parent) return;
  const notice = fromTemplate("problem-notice", HTMLElement);
  need(notice, ".title", HTMLElement).textContent = title;
  need(notice, ".advice", HTMLElement).textContent = text;
  parent.insertBefore(notice, before);
  notice.scrollIntoView({ block: "nearest" });
}

/** @param {Element} element */
export function removeProblem(element) {
  const [parent] = placeOf(element);
  if (parent) find(parent, ":scope > .problem", HTMLElement)?.remove();
}
