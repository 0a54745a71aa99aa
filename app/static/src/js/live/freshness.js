// The line of a page that shows how fresh its live region is.
import { byId, setText } from "../elements.js";
import { serverNow } from "../times/local-times.js";
import { clockTime } from "../times/time-words.js";

/** @typedef {import("./live-region.js").LiveRegion} LiveRegion */

const NO_BREAK = "\u00a0";
const STALE_AFTER = 12; // seconds without a word, while there is no stream

/** @param {LiveRegion} region */
export function showFreshness(region) {
  const label = byId("freshness", HTMLElement);
  if (!label) return;
  const [state, text] = words(region);
  label.dataset.state = state;
  setText(label, text);
}

/**
 * The state for the style sheet, and the text.
 * @param {LiveRegion} region
 * @returns {["live" | "polling" | "stale", string]}
 */
function words(region) {
  const seconds = Math.max(0, Math.floor((serverNow().getTime() - region.heardAt.getTime()) / 1000));
  if (region.failures > 0 || (!region.streaming && seconds > STALE_AFTER)) {
    return ["stale", `Not updated since ${clockTime(region.heardAt)}. ${nextPoll(region)}`];
  }
  if (region.polling) return ["polling", `Updates every 3${NO_BREAK}s`];
  const ago = seconds < 60 ? `${seconds}${NO_BREAK}s` : `${Math.floor(seconds / 60)}${NO_BREAK}min`;
  return ["live", `Updated ${ago} ago`];
}

/** @param {LiveRegion} region */
function nextPoll(region) {
  if (!region.pollTimer) return "Trying again now";
  return `Trying again in ${Math.max(1, Math.ceil((region.pollAt - Date.now()) / 1000))}${NO_BREAK}s`;
}
