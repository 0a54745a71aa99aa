// A slug is made from the title until somebody writes another one. A button fills in a free one that the server
// proposes.
import { all, closest, needId } from "../elements.js";
import { onLoad } from "../htmx-setup.js";
import { slugOf } from "./slug.js";

/**
 * @param {HTMLInputElement} slug
 * @param {boolean} written  whether somebody wrote it by hand
 */
function mark(slug, written) {
  slug.dataset.touched = written ? "yes" : "";
}

document.addEventListener("input", ({ target }) => {
  if (!(target instanceof HTMLInputElement)) return;
  if (target.matches("[data-slug-of]")) mark(target, target.value !== "");
  for (const slug of all(document, `[data-slug-of="${CSS.escape(target.id)}"]`, HTMLInputElement)) {
    if (slug.dataset.touched !== "yes") slug.value = slugOf(target.value);
  }
});

document.addEventListener("click", (event) => {
  const button = closest(event, "button[data-fills]", HTMLButtonElement);
  if (!button) return;
  const field = needId(button.dataset.fills ?? "", HTMLInputElement);
  field.value = button.dataset.value ?? "";
  mark(field, true);
  field.focus();
});

onLoad((root) => {
  for (const slug of all(root, "[data-slug-of]", HTMLInputElement)) {
    const title = needId(slug.dataset.slugOf ?? "", HTMLInputElement);
    // A slug that was written by hand and came back with an error stays.
    mark(slug, slug.value !== "" && slug.value !== slugOf(title.value));
  }
});
