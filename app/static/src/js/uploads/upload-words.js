// The text in the row of an upload.
import { size, sizeOf } from "../byte-sizes.js";
import { counted } from "../counted.js";
import { PHASES } from "../phases.js";

/**
 * @typedef {import("./upload.js").Upload} Upload
 * @typedef {import("./upload.js").Retry} Retry
 * @typedef {import("./upload.js").Stopped} Stopped
 * @typedef {import("./upload.js").Live} Live
 * @typedef {import("./upload-api.js").UploadRefusal} UploadRefusal
 *
 * The phase, which is set apart, and the facts after it.
 * @typedef {[phase: string, facts: string]} Words
 */

const NO_BREAK = "\u00a0";
const MIN_MEASURED = 5000; // milliseconds; the first seconds say little about the rest

/** @param {number} seconds */
function about(seconds) {
  if (seconds < 59.5) return `about ${Math.max(1, Math.round(seconds / 5) * 5 || 1)}${NO_BREAK}s`;
  if (seconds < 3570) return `about ${Math.round(seconds / 60)}${NO_BREAK}min`;
  return `about ${Math.round(seconds / 3600)}${NO_BREAK}h`;
}

/** @param {number} at  Date.now() of a moment */
function ago(at) {
  const minutes = Math.floor((Date.now() - at) / 60_000);
  if (minutes < 1) return "a moment ago";
  if (minutes < 60) return `${counted(minutes, "minute")} ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${counted(hours, "hour")} ago` : `${counted(Math.floor(hours / 24), "day")} ago`;
}

/**
 * @param {Upload} upload
 * @returns {Words}
 */
export function words(upload) {
  const { state, progress } = upload;
  const sent = sizeOf(progress.sent, upload.size);
  switch (state.name) {
    case "waiting":
      return [PHASES.waiting, state.ahead ? ` · ${state.ahead} ahead of it` : ""];
    case "held":
      return [progress.sent ? `${PHASES.waiting} at ${sent}` : PHASES.waiting, ` · ${heldBy(state.retry)}`];
    case "paused":
      return [`${PHASES.paused} at ${sent}`, ""];
    case "stopped":
      return [`${PHASES.stopped} at ${sent}`, stoppedFacts(state)];
    case "uploading":
      return [`${PHASES.uploading} ${progress.percent}${NO_BREAK}%`, ["", sent, ...speed(upload)].join(" · ")];
    case "sent":
      return [PHASES.uploaded, ` · ${size(upload.size)} · its check begins when its game is registered`];
    case "checking":
      return [PHASES.checking, checkFacts(state, upload.size)];
    case "ready":
      return state.unchanged
        ? [`${PHASES.ready}: the same as build ${state.build}`, ""]
        : [PHASES.ready, ` · build ${state.build}`];
    case "live":
      return liveWords(state);
    case "failed":
      return [upload.rejected ? PHASES.failed : `${PHASES.stopped} at ${sent}`, `: ${state.reason}`];
  }
}

/**
 * Once the build is everywhere, nobody looks again whether it still is the live one: the words are about the past.
 * @param {Live} state
 * @returns {Words}
 */
function liveWords({ build, rollout }) {
  if (!rollout?.servers) return [`Build ${build} went live`, ""];
  const { cached, servers } = rollout;
  const phase = cached < servers ? `Live on ${cached} of ${servers}` : `Went live on ${counted(servers, "server")}`;
  return [phase, ` · build ${build}`];
}

/** @param {Retry | null} retry */
function heldBy(retry) {
  if (!retry) return "storage is unreachable, starts automatically";
  const wait = Math.max(1, Math.ceil((retry.at - Date.now()) / 1000));
  const counts = navigator.onLine && Number.isFinite(retry.maxTries);
  const tries = counts ? `${retry.tries} of ${retry.maxTries} ` : "";
  return `${causeOf(retry.cause)}, retrying ${tries}in ${wait}${NO_BREAK}s`;
}

/** @param {UploadRefusal | null} refusal */
function causeOf(refusal) {
  if (!navigator.onLine) return "this computer is offline";
  if (refusal?.status === 429) return "the server asks to wait";
  if (refusal?.storage) return "storage is unreachable";
  return refusal?.status === 503 ? "the server has no place for it yet" : "the server does not answer";
}

/** @param {Stopped} state */
function stoppedFacts({ problem, since }) {
  return problem ? `. ${problem}` : ` ${ago(since)}: choose the file again to continue, or discard.`;
}

/**
 * @param {{filesRead: number, bytesRead: number}} read
 * @param {number} total
 */
function checkFacts({ filesRead, bytesRead }, total) {
  if (!bytesRead) return ` · all ${size(total)} uploaded`;
  const percent = Math.min(99, Math.floor((bytesRead * 100) / total));
  return `, ${counted(filesRead, "file")} read · ${percent}${NO_BREAK}%`;
}

/** @param {Upload} upload */
function speed({ progress, transfer, size: total }) {
  if (!progress.rate) return [];
  const facts = [`${size(progress.rate)}/s`];
  const measured = transfer && Date.now() - transfer.startedAt > MIN_MEASURED;
  if (measured) facts.push(about((total - progress.sent) / progress.rate));
  return facts;
}
