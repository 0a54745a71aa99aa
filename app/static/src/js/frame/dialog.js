// Questions as dialogs. A link with hx-target="#dialog" fetches the content of its page into the dialog; without a
// script it leads to that page. A form in the dialog is a form of the page: its answer is the next page, which replaces
// the dialog; a form that needs a change stays in it. The Back button closes the dialog.
import { byId, closest } from "../elements.js";
import { mayLeave } from "../forms/unsaved-changes.js";

const ENTRY = "dialog"; // the state of the history entry that an open dialog has

/** Whether the entry of a closed dialog is being left. */
let leaving = false;

// Only after the swap has settled: htmx then focuses what has `autofocus`, and would take the focus from a field in
// which somebody is already typing.
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const dialog = detail.target;
  if (!(dialog instanceof HTMLDialogElement) || dialog.open) return;
  // The answer to a form in it, which was closed meanwhile. What belongs to the page is in its place.
  if (detail.requestConfig?.target === dialog && detail.requestConfig.headers["X-Dialog"]) {
    dialog.replaceChildren();
    return;
  }
  dialog.setAttribute("aria-labelledby", `${dialog.id}-title`);
  dialog.showModal(); // focuses the title, and the link again when the dialog closes
  if (dialog.id === "dialog") history.pushState(ENTRY, "");
});

// Before htmx, which would load the page again.
addEventListener(
  "popstate",
  (event) => {
    const dialog = byId("dialog", HTMLDialogElement);
    if (!leaving && !dialog?.open) return;
    event.stopImmediatePropagation();
    if (event.state === ENTRY) return; // the dialog stayed
    if (!leaving && dialog && !mayLeave(dialog)) {
      history.forward();
      return;
    }
    leaving = false;
    dialog?.close();
  },
  true,
);

// The page that follows a form in a dialog takes the place of the dialog's entry.
document.addEventListener("htmx:beforeHistoryUpdate", ({ detail }) => {
  if (history.state === ENTRY) detail.history.type = "replace";
});

// In the capture phase, before htmx follows the link.
document.addEventListener(
  "click",
  (event) => {
    const cancel = closest(event, "dialog [data-closes]", HTMLElement);
    if (!cancel) return;
    event.preventDefault();
    event.stopPropagation();
    const dialog = cancel.closest("dialog");
    if (dialog && mayLeave(dialog)) dialog.close();
  },
  true,
);

// Esc.
document.addEventListener(
  "cancel",
  (event) => {
    if (event.target instanceof HTMLDialogElement && !mayLeave(event.target)) event.preventDefault();
  },
  true,
);

// A closed dialog is emptied: the ids of its fields may also exist elsewhere in the page.
document.addEventListener(
  "close",
  ({ target }) => {
    if (!(target instanceof HTMLDialogElement)) return;
    target.replaceChildren();
    if (target.id !== "dialog" || history.state !== ENTRY) return;
    leaving = true;
    history.back();
  },
  true,
);
