// Uploads of this browser that are under way, kept in localStorage so that they outlive their page: their ids, and what
// is needed to know the file again. Never an address of storage.
import { byId } from "../elements.js";

/** @typedef {import("./upload.js").Upload} Upload */

/**
 * A remembered upload. It is written as JSON that older and newer pages read too: fields may be missing.
 * @typedef {object} RememberedUpload
 * @property {string} key     the upload's id at the server
 * @property {string} game    slug
 * @property {string} title   of the game
 * @property {string} to      where the game's uploads are begun
 * @property {string} [detail]  where the game is read
 * @property {number} becomes the expected number of the build
 * @property {string} name    of the file
 * @property {number} size    bytes
 * @property {number} partSize
 * @property {string} [head]  SHA-256 of the first part
 * @property {boolean} release
 * @property {number} [received]  bytes that storage had acknowledged
 * @property {boolean} [dropped]  cancelled, but the server has not been told yet
 * @property {number} at      Date.now() when it was written
 */

export const member = () => byId("uploads", HTMLElement)?.dataset.member ?? "";
const place = () => `slipway-uploads-${member()}`; // people who share a browser do not see each other's

/** @returns {Record<string, RememberedUpload>} */
export function remembered() {
  try {
    return JSON.parse(localStorage.getItem(place()) ?? "null") ?? {};
  } catch {
    return {}; // this site has no storage, or it holds something else
  }
}

/** @param {(entries: Record<string, RememberedUpload>) => void} change */
function write(change) {
  if (!member()) return;
  const entries = remembered();
  change(entries);
  try {
    localStorage.setItem(place(), JSON.stringify(entries));
  } catch {
    return; // full or forbidden: the upload then does not outlive its page
  }
}

/**
 * Writes what is known of an upload now. One that has not begun is not written.
 * @param {Upload} upload
 */
export function remember({ id, game, name, size, partSize, head, release, stored }) {
  if (!id || !game) return;
  keep({
    key: id,
    game: game.slug,
    title: game.title,
    to: game.uploadsUrl,
    detail: game.detailUrl,
    becomes: game.nextBuild,
    name,
    size,
    partSize,
    head,
    release,
    received: stored,
    at: Date.now(),
  });
}

/** @param {RememberedUpload} entry */
function keep(entry) {
  write((entries) => (entries[entry.key] = entry));
}

/**
 * Marks an upload as cancelled, until the server has been told.
 * @param {string} id
 */
export function markDropped(id) {
  const entry = remembered()[id];
  if (entry) keep({ ...entry, dropped: true, at: Date.now() });
}

/** @param {string} id */
export function forget(id) {
  write((entries) => delete entries[id]);
}
