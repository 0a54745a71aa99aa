// A live region: a part of a page that follows what happens on the server. A stream brings rendered parts; while there
// is no stream, the same parts are polled. The page shows which of the two it is. A hidden tab holds no stream.
//
//   <div sse-connect="…/live" sse-swap="live" hx-swap="none" data-poll="…/matrix" data-etag="…"> … </div>
//
// The stream itself is that of htmx-ext-sse: it opens the EventSource, swaps what arrives and reconnects after a 503.
import { byId } from "../elements.js";
import { wouldLose } from "../frame/leaving.js";
import htmx from "../htmx-setup.js";
import { serverNow } from "../times/local-times.js";
import { showFreshness } from "./freshness.js";

// Milliseconds.
const POLL_INTERVAL = 3000;
const GRACE = 1500; // a stream that is back within this time is not mentioned
const MAX_SILENCE = 40_000; // the server sends a beat every 12 s; a connection this quiet is dead
const MAX_POLL_WAIT = 30_000;
const POLL_TIMEOUT = 10_000;

const SIGNED_OUT = 401;
const GONE = [SIGNED_OUT, 403, 404]; // the page was rendered for another role, or what it shows is no longer there

export class LiveRegion {
  heardAt = serverNow();
  streaming = false;
  polling = false; // a poll has answered since the stream was lost
  failures = 0; // polls in a row without an answer
  pollAt = 0; // Date.now() of the next poll
  pollTimer = 0;
  gone = false; // the page is reloaded, unless the reader stays to save something

  /** @type {EventSource | null} */
  source = null;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.etag = root.dataset.etag ?? "";
  }

  // --- the stream

  /**
   * htmx-ext-sse has opened a stream for this region.
   * @param {EventSource} source
   */
  follow(source) {
    this.source = source;
    source.addEventListener("live", (event) => this.heard(event.lastEventId));
    source.addEventListener("beat", () => this.heard(""));
    source.addEventListener("open", () => {
      this.streaming = true;
      this.polling = false;
      this.failures = 0;
      this.stopPolling();
      this.heard("");
    });
    source.addEventListener("error", () => {
      this.streaming = false;
      if (!document.hidden) this.pollIn(GRACE);
    });
  }

  /** @param {string} etag  of the parts that arrived, or "" */
  heard(etag) {
    if (etag) this.etag = etag;
    this.heardAt = serverNow();
    showFreshness(this);
  }

  close() {
    this.source?.close();
    this.streaming = false;
    this.stopPolling();
  }

  open() {
    this.close();
    htmx.trigger(this.root, "htmx:afterProcessNode"); // for the extension: it connects such an element
    this.pollIn(GRACE); // unless the stream opens before
  }

  // --- polling

  stopPolling() {
    clearTimeout(this.pollTimer);
    this.pollTimer = 0;
  }

  /** @param {number} milliseconds */
  pollIn(milliseconds) {
    if (this.pollTimer) return;
    this.pollAt = Date.now() + milliseconds;
    this.pollTimer = setTimeout(() => this.poll(), milliseconds);
  }

  async poll() {
    this.pollTimer = 0;
    if (this.gone || this.streaming || document.hidden || !this.root.isConnected) return;
    const wait = POLL_INTERVAL * (0.8 + 0.4 * Math.random()); // a thousand pages must not return at the same moment
    try {
      const etag = await this.fetchParts();
      if (etag === null) return;
      this.failures = 0;
      this.polling = true;
      this.heard(etag);
      this.pollIn(wait);
    } catch {
      this.failures += 1;
      this.pollIn(Math.min(wait * 2 ** (this.failures - 1), MAX_POLL_WAIT));
    }
    showFreshness(this);
  }

  /**
   * Swaps in what has changed. Answers the ETag, or null if the page is reloaded instead; throws if the server does not
   * answer.
   */
  async fetchParts() {
    const response = await fetch(this.root.dataset.poll ?? "", {
      headers: { "HX-Request": "true", "If-None-Match": this.etag },
      signal: AbortSignal.timeout(POLL_TIMEOUT),
    });
    const showsSecret = byId("shown-once", HTMLElement) !== null; // no other response shows it
    if (response.status === SIGNED_OUT && (showsSecret || wouldLose())) {
      document.dispatchEvent(new CustomEvent("signed-out")); // frame/sign-in-again.js
      throw new Error("signed out");
    }
    if (GONE.includes(response.status)) {
      this.gone = true;
      if (!showsSecret) location.reload();
      return null;
    }
    if (!response.ok && response.status !== 304) throw new Error(`status ${response.status}`);
    if (response.ok) {
      htmx.swap(this.root, await response.text(), { swapStyle: "none", swapDelay: 0, settleDelay: 0 });
    }
    return response.headers.get("ETag") ?? "";
  }

  // --- once a second

  tick() {
    if (this.streaming && serverNow().getTime() - this.heardAt.getTime() > MAX_SILENCE) this.open();
    showFreshness(this);
  }
}
