// How large the parts of an upload are. A part that is cut off is sent again, so they are small on a slow line: each
// takes about MAX_SECONDS at most.
const MIB = 1024 ** 2;
const MIN_PART = 5 * MIB; // what every storage accepts
const MAX_PART = 16 * MIB; // what the server chooses by itself
const MAX_SECONDS = 20;
const CONNECTIONS = 3; // that share the line; see part-sender.js
const PLACE = "slipway-rate";

/**
 * @typedef {{downlink?: number}} Line  megabits per second, where the browser estimates them
 */

/**
 * Remembers how fast the line was for the next upload of this browser.
 * @param {number} rate  bytes per second
 */
export function rememberRate(rate) {
  try {
    localStorage.setItem(PLACE, String(Math.round(rate)));
  } catch {
    return; // this site has no storage: the next upload estimates again
  }
}

/** Bytes per second, as far as it is known; else Infinity. */
function expectedRate() {
  const { downlink } = /** @type {{connection?: Line}} */ (navigator).connection ?? {};
  const estimate = downlink ? downlink * 125_000 : Infinity;
  try {
    return Number(localStorage.getItem(PLACE)) || estimate;
  } catch {
    return estimate;
  }
}

/** The part size to ask the server for, in bytes; undefined leaves it to the server. */
export function wantedPartSize() {
  const wanted = Math.floor((expectedRate() * MAX_SECONDS) / CONNECTIONS / MIB) * MIB;
  return wanted < MAX_PART ? Math.max(MIN_PART, wanted) : undefined;
}
