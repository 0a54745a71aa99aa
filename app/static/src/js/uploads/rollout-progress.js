// A build that is live goes on to the servers. Its row shows on how many it is, until it is on all of them.
import { uploads } from "./upload-queue.js";

/** @typedef {import("./upload.js").Upload} Upload */

const INTERVAL = 2000; // milliseconds
const TIMEOUT = 10_000;

/**
 * Of the game's detail, as docs/api.md describes it.
 * @typedef {{releasedBuild: number | null, cacheStatus: {cached: number, servers: number}}} GameAnswer
 */

/**
 * Whether a live build may still be missing somewhere.
 * @param {Upload} upload
 */
function rollsOut({ state, game }) {
  if (state.name !== "live" || !game?.detailUrl) return false;
  return !state.rollout || state.rollout.cached < state.rollout.servers;
}

/** @param {Upload} upload */
async function look(upload) {
  try {
    const response = await fetch(upload.game?.detailUrl ?? "", { signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) return;
    show(upload, await response.json());
  } catch {
    return; // the next look asks again
  }
}

/**
 * @param {Upload} upload
 * @param {GameAnswer} answer
 */
function show(upload, { releasedBuild, cacheStatus }) {
  if (upload.state.name !== "live") return;
  const { build } = upload.state;
  if (releasedBuild === build) upload.become({ name: "live", build, rollout: cacheStatus });
  else upload.become({ name: "ready", build, unchanged: false });
  uploads.changed(upload);
}

setInterval(() => {
  if (!document.hidden) uploads.list.filter(rollsOut).forEach(look);
}, INTERVAL);
