// Questions as dialogs. A link with hx-target="#dialog" fetches the content of its page into the dialog; without a
// script it leads to that page. A form in the dialog is a form of the page: its answer is the next page, which replaces
// the dialog.
import { closest } from "../elements.js";

// Only after the swap has settled: htmx then focuses what has `autofocus`, and would take the focus from a field in
// which somebody is already typing.
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const dialog = detail.target;
  if (!(dialog instanceof HTMLDialogElement) || dialog.open) return;
  dialog.setAttribute("aria-labelledby", "dialog-title");
  dialog.showModal(); // focuses the title, and the link again when the dialog closes
});

// In the capture phase, before htmx follows the link.
document.addEventListener(
  "click",
  (event) => {
    const cancel = closest(event, "dialog [data-closes]", HTMLElement);
    if (!cancel) return;
    event.preventDefault();
    event.stopPropagation();
    cancel.closest("dialog")?.close();
  },
  true,
);

// A closed dialog is emptied: the ids of its fields may also exist elsewhere in the page.
document.addEventListener(
  "close",
  ({ target }) => {
    if (target instanceof HTMLDialogElement) target.replaceChildren();
  },
  true,
);
