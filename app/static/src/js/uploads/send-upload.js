// Takes one upload from its first call to its build: begin (or read what has arrived), send the parts, complete, and
// follow the check. Each step can be repeated, so a lost answer costs nothing.
import { MAX_DELAY, MAX_TRIES, retryDelay } from "../retry-delay.js";
import { digestOf } from "../sha256.js";
import { PartSender } from "./part-sender.js";
import { wantedPartSize } from "./part-size.js";
import { markCancelled, removeSaved, save } from "./saved-uploads.js";
import * as api from "./upload-api.js";
import { UploadRefusal } from "./upload-api.js";
import { claim, unclaim } from "./window-claims.js";

/**
 * @typedef {import("./upload.js").Transfer} Transfer
 * @typedef {import("./upload.js").Upload} Upload
 * @typedef {import("./upload-api.js").UploadAnswer} UploadAnswer
 * @typedef {() => void} Changed  called when the upload has changed
 */

const DIGEST_DELAY = 2000; // milliseconds; many uploads are over by then, and need no digest
const MAX_ROUNDS = 3; // of parts that storage lost after it had acknowledged them
const HIDDEN_INTERVAL = 5000; // milliseconds between two looks at a check, in a hidden tab
const MAX_INTERVAL = 1000; // the same in a visible one
const MAX_TIMER = 2 ** 31 - 1; // milliseconds; the longest that browsers can wait for

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Ends with an upload that is ready, live, failed or stopped; or cancelled, whatever its state is then.
 * @param {Upload} upload
 * @param {Transfer} transfer
 * @param {Changed} changed
 */
export async function sendUpload(upload, transfer, changed) {
  try {
    const answer = await untilChecked(upload, transfer, changed);
    if (!transfer.cancelled) conclude(upload, answer);
  } catch (error) {
    if (!(error instanceof UploadRefusal)) throw error;
    if (!transfer.cancelled) refuse(upload, error);
  }
}

/**
 * The answer once the check is over, or the last one before the upload was cancelled.
 * @param {Upload} upload
 * @param {Transfer} transfer
 * @param {Changed} changed
 */
async function untilChecked(upload, transfer, changed) {
  let answer = await insist(upload, transfer, changed, () => (upload.id ? api.read(upload.url) : begin(upload)));
  if (transfer.cancelled) discardLate(upload, answer);
  for (let round = 1; answer.phase === "uploading" && !transfer.cancelled; round += 1) {
    upload.id = answer.id;
    upload.partSize = answer.partSize;
    upload.become({ name: upload.paused ? "paused" : "uploading" });
    claim(answer.id);
    save(upload);
    if (!upload.head) setTimeout(() => saveHead(upload, transfer), DIGEST_DELAY);
    try {
      await sendParts(upload, transfer, answer, changed);
      await giveGame(upload, transfer, changed);
      if (!transfer.cancelled) answer = await insist(upload, transfer, changed, () => api.complete(upload.url));
    } catch (error) {
      if (transfer.cancelled || round >= MAX_ROUNDS || !isPartsLost(error)) throw error;
      answer = await insist(upload, transfer, changed, () => api.read(upload.url));
    }
  }
  return followCheck(upload, transfer, answer, changed);
}

/** @param {Upload} upload */
function begin(upload) {
  const { game, name, size, release, version } = upload;
  upload.uploadsUrl = game?.uploadsUrl ?? upload.uploadsUrl;
  // `release` is left out where the later game's setting decides.
  return api.begin(upload.uploadsUrl, {
    fileName: name,
    size,
    release,
    versionLabel: version || undefined,
    partSize: wantedPartSize(),
  });
}

/**
 * Waits until its game is registered, then tells the server which game it is.
 * @param {Upload} upload
 * @param {Transfer} transfer
 * @param {Changed} changed
 */
async function giveGame(upload, transfer, changed) {
  while (!upload.game && !transfer.cancelled) {
    upload.become({ name: "sent" });
    changed();
    await transfer.wait(MAX_TIMER);
  }
  if (upload.hasNewGame && !transfer.cancelled) {
    await insist(upload, transfer, changed, () => api.give(upload.url, upload.game?.slug ?? ""));
  }
}

/**
 * Tells the server at once which game an upload has been given, so that colleagues see it there. If that fails,
 * giveGame() repeats it.
 * @param {Upload} upload
 */
export async function tellGame(upload) {
  save(upload);
  if (!upload.id) return;
  try {
    await api.give(upload.url, upload.game?.slug ?? "");
  } catch (error) {
    if (!(error instanceof UploadRefusal)) throw error;
  }
}

/**
 * 404: storage does not know this transfer. 409: it takes no more parts, or some are missing after all.
 * @param {unknown} error
 */
const isPartsLost = (error) => error instanceof UploadRefusal && [404, 409].includes(error.status);

/**
 * @param {Upload} upload
 * @param {Transfer} transfer
 * @param {UploadAnswer} answer
 * @param {Changed} changed
 */
async function sendParts(upload, transfer, { parts, urls = [], partSize }, changed) {
  if (parts.length * partSize >= upload.size) return;
  if (!upload.file) throw new UploadRefusal("Storage does not have all of it any more.", { status: 410 });
  const sign = (/** @type {number[]} */ numbers) => api.sign(upload.url, numbers);
  const sender = new PartSender(upload.file, partSize, { arrived: parts, urls, sign, changed });
  sender.paused = upload.paused;
  upload.progress.restart();
  transfer.parts = sender;
  try {
    await sender.send();
    upload.progress.advance(upload.size, upload.size);
  } finally {
    transfer.parts = null;
  }
}

/**
 * The digest of its first part tells this file from others when it must be chosen again.
 * @param {Upload} upload
 * @param {Transfer} transfer
 */
async function saveHead(upload, transfer) {
  const goesOn = () => upload.transfer === transfer && !transfer.cancelled;
  if (!upload.file || !goesOn() || upload.is("checking")) return;
  try {
    upload.head = await digestOf(upload.file, upload.partSize);
    if (goesOn()) save(upload);
  } catch {
    return; // it cannot be read: sending it reports that
  }
}

/**
 * @param {Upload} upload
 * @param {Transfer} transfer
 * @param {UploadAnswer} first
 * @param {Changed} changed
 */
async function followCheck(upload, transfer, first, changed) {
  let answer = first;
  for (let looks = 1; answer.phase === "checking" && !transfer.cancelled; looks += 1) {
    upload.become({ name: "checking", ...answer.check });
    changed();
    await pause(document.hidden ? HIDDEN_INTERVAL : Math.min(MAX_INTERVAL, 250 * looks));
    if (!transfer.cancelled) answer = await insist(upload, transfer, changed, () => api.read(upload.url), Infinity);
  }
  return answer;
}

/**
 * @param {Upload} upload
 * @param {UploadAnswer} answer
 */
function conclude(upload, { id, phase, build, released, unchanged, reason }) {
  removeSaved(id);
  unclaim(id);
  if (phase === "failed") upload.become({ name: "failed", reason: reason ?? "", final: true });
  else if (released) upload.become({ name: "live", build: build ?? 0, rollout: null });
  else upload.become({ name: "ready", build: build ?? 0, unchanged });
}

/**
 * @param {Upload} upload
 * @param {UploadRefusal} refusal
 */
function refuse(upload, { status, message }) {
  if (status === 410) {
    upload.file = null;
    upload.become({ name: "stopped", since: Date.now(), expiresAt: null, problem: message });
    return;
  }
  if (upload.id && status === 404) {
    removeSaved(upload.id);
    upload.id = null; // trying again begins anew
  }
  upload.signedOut = status === 401;
  upload.become({ name: "failed", reason: message, final: false });
}

/**
 * Asks until there is an answer; meanwhile the upload is held. Throws the UploadRefusal that waiting does not help.
 * @template T
 * @param {Upload} upload
 * @param {Transfer} transfer
 * @param {Changed} changed
 * @param {() => Promise<T>} ask
 * @param {number} maxTries
 * @returns {Promise<T>}
 */
async function insist(upload, transfer, changed, ask, maxTries = MAX_TRIES) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof UploadRefusal)) throw error;
      const wait = Math.max(error.wait, retryDelay(tries - 1));
      if (!error.passes || tries > maxTries || wait > MAX_DELAY) throw error;
      const before = upload.state;
      const retry = { tries, maxTries, at: Date.now() + wait * 1000, cause: error };
      if (before.name !== "checking") upload.become({ name: "held", retry });
      changed();
      await transfer.wait(wait * 1000);
      if (transfer.cancelled) throw error;
      if (before.name !== "checking") upload.become(before);
      changed();
    }
  }
}

/**
 * It was cancelled while it began: what the server opened meanwhile goes too.
 * @param {Upload} upload
 * @param {UploadAnswer} answer
 */
function discardLate(upload, answer) {
  upload.id ??= answer.id;
  discard(upload);
}

/**
 * Cancels it at the server.
 * @param {Upload} upload
 */
export async function discard(upload) {
  if (!upload.id) return;
  save(upload);
  await discardSaved(upload.id, upload.url);
}

/**
 * Tells the server, now or when a page is loaded again. Without that the upload expires after a week.
 * @param {string} id
 * @param {string} url
 */
export async function discardSaved(id, url) {
  unclaim(id);
  markCancelled(id);
  try {
    await api.cancel(url);
  } catch (error) {
    if (!(error instanceof UploadRefusal) || error.status !== 404) return;
  }
  removeSaved(id);
}
