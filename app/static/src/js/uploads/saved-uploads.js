// Uploads of this browser that are under way, kept in localStorage so that they outlive their page: their ids, and what
// is needed to recognise the file again. Never an address of storage.
import { byId } from "../elements.js";

/** @typedef {import("./upload.js").Upload} Upload */

/**
 * A saved upload. Pages of older and newer versions read and write it too: fields may be missing.
 * @typedef {object} SavedUpload
 * @property {string} key     the upload's id at the server
 * @property {string} game    slug; "" while it has no game
 * @property {string} title   of the game
 * @property {string} to      where it was begun
 * @property {string} [detail]  where the game is read
 * @property {number} becomes the expected number of the build
 * @property {string} name    of the file
 * @property {number} size    bytes
 * @property {number} partSize
 * @property {string} [head]  SHA-256 of the first part
 * @property {boolean} [release]
 * @property {number} [received]  bytes that storage had acknowledged
 * @property {boolean} [dropped]  cancelled, but the server has not been told yet
 * @property {number} at      Date.now() when it was written
 */

export const member = () => byId("uploads", HTMLElement)?.dataset.member ?? "";
const place = () => `slipway-uploads-${member()}`; // people who share a browser do not see each other's

/** @returns {Record<string, SavedUpload>} */
export function savedUploads() {
  try {
    return JSON.parse(localStorage.getItem(place()) ?? "null") ?? {};
  } catch {
    return {}; // this site has no storage, or it holds something else
  }
}

/** @param {(entries: Record<string, SavedUpload>) => void} action */
function change(action) {
  if (!member()) return;
  const entries = savedUploads();
  action(entries);
  try {
    localStorage.setItem(place(), JSON.stringify(entries));
  } catch {
    return; // full or forbidden: the upload then does not outlive its page
  }
}

/**
 * Saves an upload as it is now. One that has not begun is not saved.
 * @param {Upload} upload
 */
export function save({ id, game, uploadsUrl, name, size, partSize, head, release, stored }) {
  if (!id) return;
  write({
    key: id,
    game: game?.slug ?? "",
    title: game?.title ?? "",
    to: uploadsUrl,
    detail: game?.detailUrl,
    becomes: game?.nextBuild ?? 1,
    name,
    size,
    partSize,
    head,
    release,
    received: stored,
    at: Date.now(),
  });
}

/** @param {SavedUpload} entry */
function write(entry) {
  change((entries) => (entries[entry.key] = entry));
}

/**
 * Marks an upload as cancelled, until the server has been told.
 * @param {string} id
 */
export function markCancelled(id) {
  const entry = savedUploads()[id];
  if (entry) write({ ...entry, dropped: true, at: Date.now() });
}

/** @param {string} id */
export function removeSaved(id) {
  change((entries) => delete entries[id]);
}
