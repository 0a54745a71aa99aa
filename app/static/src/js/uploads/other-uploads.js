// Uploads that this window does not send: those of colleagues, of other tabs, of the command line. The server lists
// them on the page of their game and in the list of games; how far they are is read here.
import { sizeOf } from "../byte-sizes.js";
import { counted } from "../counted.js";
import { all, need, setText } from "../elements.js";
import { onLoad } from "../htmx-setup.js";
import { PHASES } from "../phases.js";
import { serverNow } from "../times/local-times.js";
import { read, UploadRefusal } from "./upload-api.js";
import { uploads } from "./upload-queue.js";

const INTERVAL = 5000; // milliseconds between two looks
const QUIET = 120_000; // milliseconds without a part, after which an upload counts as stopped

/** @typedef {import("./upload-api.js").UploadAnswer} UploadAnswer */

/** What was last read of each, by its id: the server renders the list anew whenever the game changes. */
const known = new Map();

/** @param {ParentNode} root */
const rows = (root = document) => all(root, "[data-upload]", HTMLElement);

/** Hides what has a row of its own in this window, and shows how far the others are. */
function draw() {
  const ours = new Set(uploads.list.map(({ id }) => id));
  for (const row of rows()) {
    const { upload = "" } = row.dataset;
    row.hidden = ours.has(upload);
    if (known.has(upload)) setText(need(row, ".phase", HTMLElement), known.get(upload));
  }
  for (const list of all(document, "[data-uploads]", HTMLElement)) list.hidden = rows(list).every((row) => row.hidden);
}

/**
 * @param {UploadAnswer} answer
 * @param {number} size
 * @param {number} lifetime  milliseconds that an upload is kept after its last part
 */
function wordsFor({ phase, receivedBytes, expiresAt, check }, size, lifetime) {
  if (phase === "checking") return `${PHASES.checking}, ${counted(check.filesRead, "file")} read`;
  if (phase !== "uploading" || receivedBytes === null || !expiresAt) return "";
  const quiet = serverNow().getTime() - (Date.parse(expiresAt) - lifetime);
  if (receivedBytes >= size) return PHASES.uploaded;
  const sent = sizeOf(receivedBytes, size);
  if (quiet > QUIET) {
    return `${PHASES.stopped} at ${sent}, nothing received for ${counted(Math.floor(quiet / 60_000), "minute")}`;
  }
  return `${PHASES.uploading} ${Math.floor((receivedBytes * 100) / size)}\u00a0% · ${sent}`;
}

/** @param {HTMLElement} row */
async function look(row) {
  const { upload, to = "", size = "", lifetime = "" } = row.dataset;
  try {
    const words = wordsFor(await read(to), Number(size), Number(lifetime) * 1000);
    if (words) known.set(upload, words);
    draw();
  } catch (error) {
    if (!(error instanceof UploadRefusal)) throw error; // else: the list itself is updated when it ends
  }
}

function lookAtAll() {
  if (!document.hidden) rows().filter((row) => !row.hidden).forEach(look);
}

uploads.changes.add(draw);
onLoad(() => {
  draw();
  rows().filter(({ dataset }) => !known.has(dataset.upload)).forEach(look);
});
setInterval(lookAtAll, INTERVAL);
