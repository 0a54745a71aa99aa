// Where archives go that come to the present page.
import { all, byId, needId } from "../elements.js";
import { uploads } from "./upload-queue.js";

/**
 * The data attributes of #sends, on a page that takes archives. Those of the game are missing on a page where a new
 * game begins with its archive.
 * @typedef {object} Target
 * @property {string} [game]    slug
 * @property {string} [title]
 * @property {string} [to]      where the game's uploads are begun
 * @property {string} [detail]  where the game is read
 * @property {string} [next]    number of the next build
 * @property {string} [fresh]   "1": the game has no builds yet
 * @property {string} [release] "1": builds go live by themselves
 * @property {string} [most]    largest archive, in bytes
 * @property {string} [packed]  the same in words
 */

/** @returns {Target | null} */
export const pageTarget = () => byId("sends", HTMLElement)?.dataset ?? null;

/**
 * The number that the next build will have if nobody else sends one.
 * @param {Target} target
 */
export function nextBuild({ game, next }) {
  const builds = all(document, "#builds tr[id^=b]", HTMLElement).map((row) => Number(row.id.slice(1)) || 0);
  const before = uploads.running.filter((upload) => upload.game && upload.game.slug === game).length;
  return Math.max(Number(next), Math.max(0, ...builds) + 1) + before;
}

/**
 * The game of the page, or null on a page without one.
 * @param {Target} target
 */
export function gameOf({ game, title = "", to = "", detail = "", next }) {
  if (!game) return null;
  return { slug: game, title, uploadsUrl: to, detailUrl: detail, nextBuild: nextBuild({ game, next }) };
}

/**
 * Where the uploads of a game are begun. The page has the address with "-" in the place of the slug, which is none.
 * @param {string} slug
 */
export const uploadsUrlOf = (slug) =>
  (needId("uploads", HTMLElement).dataset.ofGame ?? "").replace(/(?<=\/)-(?=\/)/, slug);

/** Where uploads without a game begin, and where a game is registered: on every page of a partner. */
export const newGameUrls = () => {
  const { to = "", register = "" } = needId("uploads", HTMLElement).dataset;
  return { uploadsUrl: to, registerUrl: register };
};
