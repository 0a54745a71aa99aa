// Uploads that a reload, a crash or a closed window stopped. They are shown as far as storage has them, and go on when
// their file is chosen again.
import { exactSize, size } from "../byte-sizes.js";
import { needId } from "../elements.js";
import { onLoad } from "../htmx-setup.js";
import { escapeInvisible } from "../invisible.js";
import { digestOf } from "../sha256.js";
import { openForm } from "./new-game.js";
import { uploadsUrlOf } from "./page-target.js";
import { member, removeSaved, savedUploads } from "./saved-uploads.js";
import { discardSaved } from "./send-upload.js";
import { read, UploadRefusal } from "./upload-api.js";
import { uploads } from "./upload-queue.js";
import { askOthers, isClaimedElsewhere, isOurs, taken, windowLeft } from "./window-claims.js";

/**
 * @typedef {import("./saved-uploads.js").SavedUpload} SavedUpload
 * @typedef {import("./upload.js").Upload} Upload
 * @typedef {import("./upload.js").UploadFacts} UploadFacts
 */

const SETTLE = 1000; // milliseconds; a window that was closed may be one that reloads

/** The member whose uploads were looked for. */
let restoredFor = "";

/** @param {SavedUpload} entry */
const urlOf = ({ to, key }) => `${to}/${key}`;

/**
 * @param {SavedUpload} entry
 * @returns {UploadFacts}
 */
function factsOf({ key, game, title, to, detail = "", becomes, name, size: bytes, partSize, head, release, received }) {
  // What began without a game keeps its own address, which is another one than that of its game's uploads.
  const uploadsUrl = uploadsUrlOf(game);
  const target = game ? { slug: game, title, uploadsUrl, detailUrl: detail, nextBuild: becomes } : null;
  const file = null;
  return { file, id: key, game: target, uploadsUrl: to, name, size: bytes, partSize, head, release, stored: received };
}

async function restore() {
  const isFree = (/** @type {string} */ id) => !isOurs(id) && !uploads.list.some((upload) => upload.id === id);
  await askOthers(Object.keys(savedUploads()).filter(isFree));
  for (const entry of Object.values(savedUploads())) {
    if (!isFree(entry.key) || isClaimedElsewhere(entry.key)) continue;
    if (entry.dropped) discardSaved(entry.key, urlOf(entry));
    else await show(entry);
  }
}

/**
 * What the server has of it; null where it does not answer now, undefined if it must not be shown.
 * @param {SavedUpload} entry
 */
async function ask(entry) {
  try {
    return await read(urlOf(entry));
  } catch (error) {
    if (!(error instanceof UploadRefusal)) throw error;
    if (error.status === 404) removeSaved(entry.key); // expired, or cancelled elsewhere
    return error.passes ? null : undefined;
  }
}

/** @param {SavedUpload} entry */
async function show(entry) {
  const answer = await ask(entry);
  if (answer === undefined) return;
  const facts = factsOf({ ...entry, game: entry.game || (answer?.game ?? "") });
  if (answer && answer.phase !== "uploading") {
    uploads.addChecking(facts);
    return;
  }
  if (isClaimedElsewhere(entry.key)) return; // the other window answered late
  const stored = answer?.receivedBytes ?? entry.received ?? 0;
  if (answer && stored >= entry.size) uploads.addSent({ ...facts, stored });
  else uploads.addStopped({ ...facts, stored }, { since: entry.at, expiresAt: answer?.expiresAt ?? null });
}

onLoad(() => {
  if (!member() || member() === restoredFor) return;
  restoredFor = member();
  restore();
});

windowLeft.add(() => setTimeout(restore, SETTLE));
taken.add((id) => {
  const upload = uploads.list.find((one) => one.id === id && one.is("stopped"));
  if (upload) uploads.remove(upload);
});

// --- the file again

/**
 * "it has 4.9 GiB, the stopped one 4.7 GiB", in bytes where both would read the same.
 * @param {number} chosen
 * @param {number} stopped
 */
function differentSizes(chosen, stopped) {
  const words = size(chosen) === size(stopped) ? exactSize : size;
  return `it has ${words(chosen)}, the stopped one ${words(stopped)}`;
}

/**
 * What is wrong with this file for that upload, or "".
 * @param {File} file
 * @param {Upload} upload
 */
async function problemWith(file, upload) {
  const remedy = `Choose ${upload.shownName}, or discard the stopped upload.`;
  if (file.size !== upload.size) return `This is another file: ${differentSizes(file.size, upload.size)}. ${remedy}`;
  if (file.name !== upload.name) return `This is another file: it is called ${escapeInvisible(file.name)}. ${remedy}`;
  if (!upload.head) return "";
  try {
    if ((await digestOf(file, upload.partSize)) === upload.head) return "";
    return `This is another file: it begins with different bytes. ${remedy}`;
  } catch {
    return `${escapeInvisible(file.name)} cannot be read. ${remedy}`;
  }
}

/**
 * The stopped upload that a dropped file belongs to, of this game or without a game yet; or null.
 * @param {File} file
 * @param {string | undefined} slug  undefined where the page has no game
 */
export async function stoppedFor(file, slug) {
  for (const upload of uploads.list.filter((one) => one.is("stopped") && (!one.game || one.game.slug === slug))) {
    const alike = upload.name === file.name && upload.size === file.size;
    if (alike && !(await problemWith(file, upload))) return upload;
  }
  return null;
}

/** The upload whose file is being chosen. @type {Upload | null} */
let chosenFor = null;

/** @param {Upload} upload */
export function chooseAgain(upload) {
  chosenFor = upload;
  needId("again-file", HTMLInputElement).click();
}

document.addEventListener("change", async ({ target }) => {
  if (!(target instanceof HTMLInputElement) || target.id !== "again-file") return;
  const file = target.files?.[0];
  const upload = chosenFor;
  if (!file || !upload) return;
  target.value = ""; // the same file may be chosen again
  const problem = await problemWith(file, upload);
  if (!upload.is("stopped")) return;
  if (problem) uploads.refuseFile(upload, problem);
  else {
    uploads.resume(upload, file);
    if (!upload.game) openForm(file.name, file);
  }
});
