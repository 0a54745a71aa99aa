// The command palette: Ctrl+K, or ⌘K, opens a search over the page. The server finds the results (app/web/palette), as
// links that are the options of a combobox.
import { all, byId, closest, find, fromTemplate, need } from "../elements.js";
import htmx, { onLoad } from "../htmx-setup.js";
import { announce } from "./announcements.js";
import { isApple } from "./apple-keyboard.js";

/** Whether Enter was pressed before the results of the typed text were there. */
let opensFirst = false;

const palette = () => byId("palette", HTMLDialogElement);
const options = () => all(document, "#palette [role=option]", HTMLAnchorElement);
const chosen = () => options().findIndex((option) => option.getAttribute("aria-selected") === "true");

/** @param {HTMLDialogElement} dialog */
function open(dialog) {
  opensFirst = false;
  dialog.replaceChildren(fromTemplate("palette-content", HTMLElement));
  dialog.showModal(); // focuses the field; when the dialog closes, what had the focus before
  htmx.process(dialog);
}

/** @param {number} place */
function choose(place) {
  const field = need(document, "#palette-text", HTMLInputElement);
  field.removeAttribute("aria-activedescendant");
  for (const [at, option] of options().entries()) {
    option.setAttribute("aria-selected", String(at === place));
    if (at !== place) continue;
    field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }
}

/** Whether the results are those of the typed text. */
const isCurrent = () =>
  find(document, "#palette-list", HTMLElement)?.dataset.for === byId("palette-text", HTMLInputElement)?.value;

/** @param {KeyboardEvent} event */
function handleKey(event) {
  const count = options().length;
  /** @type {Record<string, number>} */
  const places = { ArrowDown: chosen() + 1, ArrowUp: chosen() - 1 + count, Home: 0, End: count - 1 };
  opensFirst = event.key === "Enter" && !isCurrent();
  if (event.key === "Enter") options()[isCurrent() ? chosen() : -1]?.click();
  else if (count && event.key in places) choose((places[event.key] ?? 0) % count);
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  const dialog = palette();
  if (!dialog || event.isComposing) return;
  const isShortcut = (isApple ? event.metaKey : event.ctrlKey) && !event.shiftKey && !event.altKey;
  if (isShortcut && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open(dialog);
  } else if (closest(event, "#palette-text", HTMLInputElement)) handleKey(event);
});

// In the capture phase, before htmx follows the link.
document.addEventListener(
  "click",
  (event) => {
    const dialog = palette();
    if (event.target === dialog) dialog?.close(); // beside it
    const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (!dialog || !isPlain || !closest(event, "[data-palette]", HTMLAnchorElement)) return;
    event.preventDefault();
    event.stopPropagation();
    open(dialog);
  },
  true,
);

document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.target?.id !== "palette-results" || !isCurrent()) return;
  const found = options();
  need(document, "#palette-text", HTMLInputElement).setAttribute("aria-expanded", String(found.length > 0));
  choose(0);
  if (opensFirst) found[0]?.click();
  else announce(need(document, "#palette .found", HTMLElement).textContent);
  opensFirst = false;
});

/** @param {CustomEvent<HtmxRequest>} event */
function showFailure({ detail }) {
  if (detail.target?.id !== "palette-results" || detail.xhr.status === 401) return; // sign-in-again.js asks
  const text = "The server does not answer. Change the text to search again.";
  detail.target.replaceChildren(text);
  announce(text);
}

document.addEventListener("htmx:sendError", showFailure);
document.addEventListener("htmx:responseError", showFailure);

onLoad((root) => {
  if (isApple) for (const key of all(root, "[data-palette] kbd", HTMLElement)) key.textContent = "⌘K";
});
