// The last press wins, as with links that the browser follows by itself: it aborts what an earlier one was loading for
// the same part of the page, or for the whole page. Only what reads is aborted: a form that was sent arrives, and its
// answer is shown.
import { isPress } from "./failed-requests.js";

/**
 * What a person is loading, by key, click or typing, and what it will replace.
 * @type {Map<XMLHttpRequest, Element>}
 */
const loading = new Map();

/**
 * @param {Node} target
 * @param {XMLHttpRequest} [kept]
 */
function abortFor(target, kept) {
  for (const [xhr, place] of loading) {
    if (xhr !== kept && (target.contains(place) || place.contains(target))) xhr.abort();
  }
}

// Before htmx looks whether the same link is being followed already, which would have to wait. A press that swaps
// nothing, as of the theme, is beside all others.
document.addEventListener("htmx:confirm", (event) => {
  const { elt, target, triggeringEvent } = event.detail;
  if (event.defaultPrevented || !isPress(triggeringEvent) || elt.getAttribute("hx-swap") === "none") return;
  abortFor(target);
});

document.addEventListener("htmx:beforeSend", ({ detail: { xhr, target, requestConfig } }) => {
  if (requestConfig.verb !== "get" || !requestConfig.triggeringEvent) return;
  loading.set(xhr, target);
  xhr.addEventListener("loadend", () => loading.delete(xhr));
});

// What was typed into a search meanwhile belongs to the page that is replaced, and so does its address.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const isPage = detail.target === document.body && detail.requestConfig.verb === "get";
  if (isPage && detail.shouldSwap) abortFor(document.body, detail.xhr);
});
