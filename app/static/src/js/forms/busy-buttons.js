// A pressed button is busy until the answer is there: its label becomes the participle ("Saving…"), at the same width,
// and a second press sends nothing.
import { all, closest } from "../elements.js";

/** @param {HTMLElement | null | undefined} button */
function begin(button) {
  if (!button?.dataset.busy) return;
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-label", button.dataset.busy);
  button.classList.add("in-flight");
}

/** @param {HTMLElement} button */
function end(button) {
  button.removeAttribute("aria-disabled");
  button.removeAttribute("aria-label");
  button.classList.remove("in-flight");
}

/** @param {Event | undefined} event  what made htmx send a request */
const submitterOf = (event) => (event instanceof SubmitEvent ? event.submitter : null);

// htmx prevents the default of a form that it sends: such a form is busy for as long as htmx's request lasts. When that
// has failed, or its answer changed only a part of the page, the button can be pressed again.
document.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) begin(event.submitter);
});
document.addEventListener("htmx:beforeSend", ({ detail }) => begin(submitterOf(detail.requestConfig.triggeringEvent)));
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const button = submitterOf(detail.requestConfig?.triggeringEvent);
  if (button?.classList.contains("in-flight")) end(button);
});

// The back button may bring a page back as it was left.
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) all(document, ".in-flight", HTMLElement).forEach(end);
});

document.addEventListener(
  "click",
  (event) => {
    if (closest(event, "button[aria-disabled=true]", HTMLButtonElement)) event.preventDefault();
  },
  true,
);
