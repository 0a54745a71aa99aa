// "120 of 5,000 characters" below a text field.
import { all, find } from "../elements.js";
import { onLoad } from "../htmx-setup.js";

/** @param {HTMLTextAreaElement} area */
function count(area) {
  const label = find(document, `[data-count-of="${CSS.escape(area.id)}"]`, HTMLElement);
  if (!label) return;
  const max = Number(area.dataset.counts);
  label.textContent = `${[...area.value].length.toLocaleString("en")} of ${max.toLocaleString("en")} characters`;
}

document.addEventListener("input", ({ target }) => {
  if (target instanceof HTMLTextAreaElement && target.dataset.counts) count(target);
});

onLoad((root) => all(root, "[data-counts]", HTMLTextAreaElement).forEach(count));
