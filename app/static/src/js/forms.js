// Forms that help while they are filled in: a slug made from the title until somebody writes their own, a count of
// characters, a proposal taken over by its button, and a button that says what is being done.
import htmx from "./requests.js";

// The same as slug_of() of app/catalog/named_games.py.
const slugOf = (text) =>
  text.normalize("NFKD").replace(/[^\x20-\x7e]/g, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 100).replace(/-+$/, "");

document.addEventListener("input", ({ target }) => {
  if (target.matches("[data-slug-of]")) target.dataset.touched = target.value ? "yes" : "";
  for (const slug of document.querySelectorAll(`[data-slug-of="${CSS.escape(target.id)}"]`)) {
    if (slug.dataset.touched !== "yes") slug.value = slugOf(target.value);
  }
  count(target);
});

function count(area) {
  if (!area.dataset?.counts) return;
  const label = document.querySelector(`[data-count-of="${CSS.escape(area.id)}"]`);
  const most = Number(area.dataset.counts);
  label.textContent = `${[...area.value].length.toLocaleString("en")} of ${most.toLocaleString("en")} characters`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-fills]");
  if (!button) return;
  const field = document.getElementById(button.dataset.fills);
  field.value = button.dataset.value;
  field.dataset.touched = "yes";
  field.focus();
});

// The label becomes the participle, in a button of the same width, for as long as the answer takes.
function begin(button) {
  if (!button?.dataset?.busy) return;
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-label", button.dataset.busy);
  button.classList.add("in-flight");
}

function end(button) {
  button.removeAttribute("aria-disabled");
  button.removeAttribute("aria-label");
  button.classList.remove("in-flight");
}

// A form that htmx sends prevents its own default: what is under way is htmx's request. When it failed, or its answer
// changed only a part of the page, the button can be pressed again.
document.addEventListener("submit", (event) => event.defaultPrevented || begin(event.submitter));
document.addEventListener("htmx:beforeSend", ({ detail }) => begin(detail.requestConfig.triggeringEvent?.submitter));
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const button = detail.requestConfig?.triggeringEvent?.submitter;
  if (button?.classList.contains("in-flight")) end(button);
});
addEventListener("pageshow", ({ persisted }) => persisted && document.querySelectorAll(".in-flight").forEach(end));

// A second press while the first is under way sends nothing.
document.addEventListener(
  "click",
  (event) => event.target.closest?.("button[aria-disabled=true]") && event.preventDefault(),
  true,
);

htmx.onLoad((root) => {
  for (const slug of root.querySelectorAll?.("[data-slug-of]") ?? []) {
    const title = document.getElementById(slug.dataset.slugOf);
    // What was written by hand and came back with a complaint stays.
    slug.dataset.touched = slug.value && slug.value !== slugOf(title.value) ? "yes" : "";
  }
  root.querySelectorAll?.("[data-counts]").forEach(count);
});
