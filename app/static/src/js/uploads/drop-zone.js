// Archives come to a game: dropped anywhere on one of its pages, or chosen. On the page of a partner without games an
// archive waits in the tray until its game is registered.
import { size } from "../byte-sizes.js";
import { all, byId, closest, create, need } from "../elements.js";
import { addDropArea } from "../file-drop.js";
import { announce } from "../frame/announcements.js";
import htmx from "../htmx-setup.js";
import { readArchiveFacts } from "./archive-facts.js";
import { stoppedFor } from "./resume-stopped.js";
import { uploads } from "./upload-queue.js";

const ARCHIVE = /\.(tar\.gz|tgz)$/i;

/**
 * The data attributes of #sends, on a page that takes archives. Those of the game are missing where the game has no
 * name yet.
 * @typedef {object} Target
 * @property {string} [game]    slug
 * @property {string} [title]
 * @property {string} [to]      where uploads are begun
 * @property {string} [detail]  where the game is read
 * @property {string} [next]    number of the next build
 * @property {string} [fresh]   "1": the game has no builds yet
 * @property {string} [release] "1": builds go live by themselves
 * @property {string} [most]    largest archive, in bytes
 * @property {string} [packed]  the same in words
 * @property {string} [register]  the page where a game is registered
 */

/** @returns {Target | null} */
const target = () => byId("sends", HTMLElement)?.dataset ?? null;

/**
 * The number that the next build will have if nobody else sends one.
 * @param {Target} target
 */
function nextBuild({ game, next }) {
  const builds = all(document, "#builds tr[id^=b]", HTMLElement).map((row) => Number(row.id.slice(1)) || 0);
  const before = uploads.running.filter((upload) => upload.game && upload.game.slug === game).length;
  return Math.max(Number(next), Math.max(0, ...builds) + 1) + before;
}

/**
 * The game of the page, or null while it has no name.
 * @param {Target} target
 */
function gameOf({ game, title = "", to = "", detail = "", next }) {
  if (!game) return null;
  return { slug: game, title, uploadsUrl: to, detailUrl: detail, nextBuild: nextBuild({ game, next }) };
}

/** @param {File[]} files */
async function take(files) {
  const here = target();
  if (!here) return;
  const release = byId("drop-release", HTMLInputElement)?.checked ?? here.release === "1";
  for (const file of files) {
    const stopped = here.game ? await stoppedFor(file, here.game) : null;
    const reason = problemWith(file, here);
    if (stopped) uploads.resume(stopped, file);
    else if (reason) uploads.reject(file, gameOf(here), reason);
    else {
      uploads.add(file, gameOf(here), release);
      if (!here.game) await registerGame(file, here);
    }
  }
}

/**
 * Why the server would refuse the file, or "".
 * @param {File} file
 * @param {Target} target
 */
function problemWith(file, { most, packed }) {
  if (!ARCHIVE.test(file.name)) {
    return "It is not a .tar.gz. Package the game’s folder with GNU tar, then choose that file.";
  }
  if (file.size > Number(most)) {
    const limit = `It has ${size(file.size)}, and the limit is ${packed}.`;
    return `${limit} Make it smaller, or ask the operator to raise the limit.`;
  }
  return file.size === 0 ? "It is empty. Package the game’s folder again." : "";
}

/**
 * Goes to the page where the file's game is registered, filled with what the archive says about it. Without a title in
 * the archive it is made from the file's name.
 * @param {File} file
 * @param {Target} target
 */
async function registerGame(file, { register = "" }) {
  const facts = await readArchiveFacts(file);
  const stem = file.name.replace(ARCHIVE, "").replace(/[-_]v?\d[\d.]*\w*$/, "");
  const words = stem.replace(/[-_]+/g, " ").trim();
  const title = facts.title || words.replace(/\b\p{L}/gu, (letter) => letter.toUpperCase());
  const fields = new URLSearchParams({ title, launcher: facts.launcher, renpy_dir: facts.saveDirectory });
  const link = create("a", { href: `${register}?${fields}` });
  need(document, "#main", HTMLElement).append(link);
  htmx.process(link); // a boosted link: a page load would end the upload
  link.click();
}

/** @param {number} count */
function preview(count) {
  const here = target();
  if (!here?.game) return "You name its game on the next screen.";
  const becomes = count > 1 ? `${count} files become builds` : `It becomes build ${nextBuild(here)}`;
  return `${becomes} of ${here.title}.`;
}

addDropArea({
  isHere: () => target() !== null,
  box: () => byId("drop", HTMLElement),
  preview,
  take,
  fieldId: "drop-file",
});

document.addEventListener("click", (event) => {
  const button = closest(event, ".use-curl", HTMLElement);
  button?.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
});

// A game was registered for a waiting file: its page is the first one after that.
document.addEventListener("htmx:afterSettle", () => {
  const waiting = uploads.list.filter((upload) => !upload.game && !upload.ended);
  const here = target();
  const registered = here?.fresh === "1" && document.querySelector("#toasts .toast");
  if (!waiting.length || !here?.game || !registered) return;
  for (const upload of waiting) {
    const game = gameOf(here);
    if (game) uploads.assign(upload, game);
  }
  announce(`${waiting[0].shownName} is sent to ${here.title}`);
});
