// How htmx talks to the app: the CSRF token, boosted navigation to error pages, and focus after a page change.
// Its settings are in the page, in <meta name="htmx-config">.
import htmx from "htmx.org";
import "htmx-ext-sse";
import { find } from "./elements.js";
import { bundleVersion, csrfToken } from "./page-meta.js";

document.addEventListener("htmx:configRequest", ({ detail }) => {
  // The server answers a page of another version of the bundle with a whole page load (app/web/frame/static_files.py).
  detail.headers["X-Bundle"] = bundleVersion();
  if (detail.verb !== "get") detail.headers["X-CSRFToken"] = csrfToken();
  if (detail.elt.closest("#dialog")) detail.headers["X-Dialog"] = "yes"; // app/web/frame/dialogs.py
});

let pathBefore = "";
document.addEventListener("htmx:beforeSwap", () => {
  pathBefore = location.pathname;
});

// Another page begins at its top, as after a whole page load. The same page with another filter, or after one of its
// forms, stays where it is; an address with a fragment is scrolled by htmx.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (!detail.boosted || detail.target !== document.body) return;
  if (location.pathname !== pathBefore && !location.hash) scrollTo({ top: 0, behavior: "instant" });
});

// A followed link shows the page that it leads to, "not found" too. A form that needs a change is shown where the
// server wants it. A fragment that failed, or a line of text, is never swapped in.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { xhr, boosted } = detail;
  if (xhr.status < 400) return;
  const isPage = boosted && !xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
  if (isPage || xhr.getResponseHeader("HX-Retarget")) {
    detail.shouldSwap = true;
    detail.isError = false;
  }
});

// After a boosted page change the reader starts at the new page's content, as after a whole page load. A head that
// sorts a list loads the list alone, and keeps the focus.
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.boosted && detail.target === document.body && !document.querySelector("[autofocus]")) {
    find(document, "main", HTMLElement)?.focus({ preventScroll: true });
  }
});

// A search has loaded its list when the field is left. To load it again would take the place of the link that was
// pressed meanwhile.
document.addEventListener(
  "change",
  (event) => {
    if (event.target instanceof HTMLInputElement && event.target.id === "search") event.stopPropagation();
  },
  true,
);

/**
 * Calls `action` with each new part of the page, the page itself first.
 * @param {(root: Element) => void} action
 */
export const onLoad = (action) => htmx.onLoad((root) => root instanceof Element && action(root));

export default htmx;
