// Leaving a page, or closing a dialog, whose form has changes that are not saved asks first. Such a form has
// `data-unsaved`: "yes" where what was typed came back with an error, so that its values are not the saved ones. With
// `data-question` leaving asks that question, also when nothing was typed. A form that was left gets the event
// `abandoned`.
import { all } from "../elements.js";

const QUESTION = "What you changed here is not saved. Leave without saving?";

/** What was sent is being saved. @type {WeakSet<Element>} */
const sent = new WeakSet();

/** @param {Element} field */
function isChanged(field) {
  if (field instanceof HTMLSelectElement) {
    const options = [...field.options];
    const isSelected = options.some((option) => option.defaultSelected);
    return options.some((option, at) => option.selected !== (isSelected ? option.defaultSelected : at === 0));
  }
  if (field instanceof HTMLInputElement && ["checkbox", "radio"].includes(field.type)) {
    return field.checked !== field.defaultChecked;
  }
  if (field instanceof HTMLInputElement && field.type === "hidden") return false;
  return (
    (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) && field.value !== field.defaultValue
  );
}

/** @param {HTMLFormElement} form */
const isUnsaved = (form) =>
  !sent.has(form) &&
  (form.dataset.unsaved === "yes" || "question" in form.dataset || [...form.elements].some(isChanged));

/** @param {ParentNode} root */
const unsavedForms = (root) => all(root, "form[data-unsaved]", HTMLFormElement).filter(isUnsaved);

/**
 * Whether nothing is lost by leaving the page, or closing this part of it; or the person wants to.
 * @param {ParentNode} root
 */
export function mayLeave(root = document) {
  const forms = unsavedForms(root);
  if (!forms.length) return true;
  if (!confirm(forms.find(({ dataset }) => dataset.question)?.dataset.question ?? QUESTION)) return false;
  for (const form of forms) form.dispatchEvent(new Event("abandoned", { bubbles: true }));
  return true;
}

function forget() {
  for (const form of all(document, "form[data-unsaved]", HTMLFormElement)) sent.add(form);
}

document.addEventListener("submit", ({ target }) => {
  if (target instanceof HTMLFormElement) sent.add(target);
});

// It was not accepted, or did not arrive.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!detail.successful) sent.delete(detail.elt);
});

// A boosted link, which replaces the page.
document.addEventListener("htmx:confirm", (event) => {
  const { elt } = event.detail;
  if (elt instanceof HTMLAnchorElement && !elt.hasAttribute("hx-target") && !mayLeave()) event.preventDefault();
});

// The Back button: the browser has changed the address already.
addEventListener(
  "popstate",
  (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (mayLeave()) forget();
    else {
      event.stopImmediatePropagation();
      history.forward();
    }
  },
  true,
);

addEventListener("beforeunload", (event) => {
  if (unsavedForms(document).length) event.preventDefault();
});
