// A live region: a stream of rendered parts while there is one, the same parts by polling while there is none, and the
// truth about which of the two it is. A hidden tab holds no stream.
//
//   <div sse-connect="…/live" sse-swap="live" hx-swap="none" data-poll="…/matrix" data-etag="…"> … </div>
//
// The stream itself is htmx-ext-sse's: it opens the EventSource, swaps what arrives and opens it again after a 503.
import htmx from "./requests.js";
import { clockOf, serverNow } from "./times.js";

const POLL_EVERY = 3000;
const GRACE = 1500; // a stream that comes back by itself within this is not worth a word
const SILENCE = 40_000; // the server sends a beat every 12 s; a connection this quiet is dead
const LONGEST_WAIT = 30_000;

const regions = new Map(); // element -> Region

class Region {
  constructor(root) {
    this.root = root;
    this.etag = root.dataset.etag;
    this.heardAt = serverNow();
    this.streaming = false;
    this.polling = false; // a poll has answered since the stream was lost
    this.failures = 0; // polls in a row that did not answer
    this.pollAt = 0;
    this.pollTimer = 0;
    this.source = null;
  }

  // --- the stream

  opened(source) {
    this.source = source;
    source.addEventListener("live", (event) => this.heard(event.lastEventId));
    source.addEventListener("beat", () => this.heard());
    source.addEventListener("open", () => {
      this.streaming = true;
      this.polling = false;
      this.failures = 0;
      this.stopPolling();
      this.heard();
    });
    source.addEventListener("error", () => {
      this.streaming = false;
      if (!document.hidden) this.pollIn(GRACE);
    });
  }

  heard(etag) {
    if (etag) this.etag = etag;
    this.heardAt = serverNow();
    this.say();
  }

  close() {
    this.source?.close();
    this.streaming = false;
    this.stopPolling();
  }

  // The extension connects an element it is told has been processed.
  open() {
    this.close();
    htmx.trigger(this.root, "htmx:afterProcessNode");
    this.pollIn(GRACE); // until the stream says otherwise
  }

  // --- polling

  stopPolling() {
    clearTimeout(this.pollTimer);
    this.pollTimer = 0;
  }

  pollIn(milliseconds) {
    if (this.pollTimer) return;
    this.pollAt = Date.now() + milliseconds;
    this.pollTimer = setTimeout(() => this.poll(), milliseconds);
  }

  async poll() {
    this.pollTimer = 0;
    if (this.streaming || document.hidden || !this.root.isConnected) return;
    const wait = POLL_EVERY * (0.8 + 0.4 * Math.random()); // a thousand pages do not come back at the same moment
    try {
      const response = await fetch(this.root.dataset.poll, {
        headers: { "HX-Request": "true", "If-None-Match": this.etag },
        signal: AbortSignal.timeout(10_000),
      });
      if ([401, 403, 404].includes(response.status)) return location.reload(); // signed out, or no longer there
      if (!response.ok && response.status !== 304) throw new Error(`status ${response.status}`);
      if (response.ok) htmx.swap(this.root, await response.text(), { swapStyle: "none" });
      this.failures = 0;
      this.polling = true;
      this.heard(response.headers.get("ETag"));
      this.pollIn(wait);
    } catch {
      this.failures += 1;
      this.pollIn(Math.min(wait * 2 ** (this.failures - 1), LONGEST_WAIT));
    }
    this.say();
  }

  // --- what the page says about itself

  say() {
    const label = document.getElementById("freshness");
    if (!label) return;
    const [state, text] = this.words();
    label.dataset.state = state;
    if (label.textContent !== text) label.textContent = text;
  }

  words() {
    const seconds = Math.max(0, Math.floor((serverNow() - this.heardAt) / 1000));
    if (this.failures > 0 || (!this.streaming && seconds > 12)) {
      const wait = Math.max(1, Math.ceil((this.pollAt - Date.now()) / 1000));
      const next = this.pollTimer ? `Trying again in ${wait}\u00a0s` : "Trying again now";
      return ["stale", `Not updated since ${clockOf(this.heardAt)}. ${next}`];
    }
    if (this.polling) return ["polling", "Updates every 3\u00a0s"];
    return ["live", seconds < 60 ? `Updated ${seconds}\u00a0s ago` : `Updated ${Math.floor(seconds / 60)}\u00a0min ago`];
  }

  tick() {
    if (this.streaming && serverNow() - this.heardAt > SILENCE) this.open();
    this.say();
  }
}

function regionFor(url) {
  for (const root of document.querySelectorAll("[sse-connect]")) {
    if (root.getAttribute("sse-connect") !== url) continue;
    if (!regions.has(root)) regions.set(root, new Region(root));
    return regions.get(root);
  }
  return null;
}

// htmx-ext-sse takes its EventSource from here when it is already defined.
htmx.createEventSource = (url) => {
  const region = regionFor(url);
  region?.source?.close(); // the extension's own reconnect timer may still run: never two streams
  const seen = region ? `${url.includes("?") ? "&" : "?"}seen=${encodeURIComponent(region.etag)}` : "";
  const source = new EventSource(url + seen);
  region?.opened(source);
  if (document.hidden) source.close();
  else region?.pollIn(GRACE * 2); // in case it neither opens nor fails
  return source;
};

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
// A page kept for the back button must not hold a stream either.
addEventListener("pagehide", () => eachRegion((region) => region.close()));
addEventListener("pageshow", (event) => event.persisted && eachRegion((region) => region.open()));
setInterval(() => document.hidden || eachRegion((region) => region.tick()), 1000);
