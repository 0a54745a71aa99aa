// How htmx talks to the app: the CSRF token, boosted navigation to error pages, and focus after a page change.
// Its settings stand in the page, in <meta name="htmx-config">.
import htmx from "htmx.org";
import "htmx-ext-sse";

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

document.addEventListener("htmx:configRequest", ({ detail }) => {
  // A page from another version of the bundle is left with a whole page load (app/web/bundle.py).
  detail.headers["X-Bundle"] = meta("bundle");
  if (detail.verb !== "get") detail.headers["X-CSRFToken"] = meta("csrf-token");
});

// A followed link shows whatever page it leads to, also "not found"; a fragment that failed is never swapped in.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.boosted && detail.xhr.status >= 400) {
    detail.shouldSwap = true;
    detail.isError = false;
  }
});

// After a boosted page change the reader starts at the new page's content, as after a real one.
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.boosted && !document.querySelector("[autofocus]")) {
    document.querySelector("main")?.focus({ preventScroll: true });
  }
});

export default htmx;
