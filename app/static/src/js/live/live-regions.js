// The live regions of the page: each has one stream at most, and none while the tab is hidden or kept for the back
// button.
import { all } from "../elements.js";
import htmx from "../htmx-setup.js";
import { LiveRegion } from "./live-region.js";

const STREAM_PATIENCE = 3000; // milliseconds for a stream to open or fail, before the page polls

/** @type {Map<HTMLElement, LiveRegion>} */
const regions = new Map();

/** @param {string} url */
function regionFor(url) {
  const root = all(document, "[sse-connect]", HTMLElement).find((one) => one.getAttribute("sse-connect") === url);
  if (!root) return null;
  const region = regions.get(root) ?? new LiveRegion(root);
  regions.set(root, region);
  return region;
}

/** @param {string} url */
function createEventSource(url) {
  const region = regionFor(url);
  if (!region) return new EventSource(url);
  region.source?.close(); // the extension's reconnect timer may still run: never two streams
  const source = new EventSource(`${url}${url.includes("?") ? "&" : "?"}seen=${encodeURIComponent(region.etag)}`);
  region.follow(source);
  if (document.hidden) source.close();
  else region.pollIn(STREAM_PATIENCE);
  return source;
}

// htmx-ext-sse opens its streams with this function if it is already defined.
/** @type {{createEventSource?: (url: string) => EventSource}} */ (htmx).createEventSource = createEventSource;

/** @param {(region: LiveRegion) => void} action */
function eachRegion(action) {
  for (const [root, region] of regions) {
    if (root.isConnected) action(region);
    else {
      region.close();
      regions.delete(root);
    }
  }
}

document.addEventListener("visibilitychange", () => {
  eachRegion((region) => (document.hidden ? region.close() : region.open()));
});
addEventListener("pagehide", () => eachRegion((region) => region.close()));
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) eachRegion((region) => region.open());
});
setInterval(() => {
  if (!document.hidden) eachRegion((region) => region.tick());
}, 1000);
