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

/** @typedef {import("./upload-api.js").UploadAnswer} UploadAnswer */

/**
 * What was last read of each, by its id: the server renders the list anew whenever the game changes.
 * @type {Map<string, {words: string, stopped: boolean}>}
 */
const known = new Map();

/** @param {ParentNode} root */
const rows = (root = document) => all(root, "[data-upload]", HTMLElement);

/** Hides what has a row of its own in this window, and shows how far the others are. */
function draw() {
  const ours = new Set(uploads.list.map(({ id }) => id));
  for (const row of rows()) {
    const { upload = "" } = row.dataset;
    row.hidden = ours.has(upload);
    const found = known.get(upload);
    if (!found) continue;
    setText(need(row, ".phase", HTMLElement), found.words);
    row.classList.toggle("stopped", found.stopped);
  }
  for (const list of all(document, "[data-uploads]", HTMLElement)) list.hidden = rows(list).every((row) => row.hidden);
}

/**
 * @param {UploadAnswer} answer
 * @param {number} size
 * @param {number} lifetime  milliseconds that an upload is kept after its last part
 * @param {number} limit     milliseconds without a part, after which it counts as stopped
 */
function stateOf({ phase, receivedBytes, expiresAt, check }, size, lifetime, limit) {
  if (phase === "checking") {
    return { words: `${PHASES.checking}, ${counted(check.filesRead, "file")} read`, stopped: false };
  }
  if (phase !== "uploading" || receivedBytes === null || !expiresAt) return null;
  if (receivedBytes >= size) return { words: PHASES.uploaded, stopped: false };
  const quiet = serverNow().getTime() - (Date.parse(expiresAt) - lifetime);
  const [sent, stopped] = [sizeOf(receivedBytes, size), quiet > limit];
  const words = stopped
    ? `${PHASES.stopped} at ${sent}, nothing received for ${counted(Math.floor(quiet / 60_000), "minute")}`
    : `${PHASES.uploading} ${Math.floor((receivedBytes * 100) / size)}\u00a0% · ${sent}`;
  return { words, stopped };
}

/** @param {HTMLElement} row */
async function look(row) {
  const { upload = "", to = "", size = "", lifetime = "", quiet = "" } = row.dataset;
  try {
    const found = stateOf(await read(to), Number(size), Number(lifetime) * 1000, Number(quiet) * 1000);
    if (found) known.set(upload, found);
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
  rows().filter(({ dataset: { upload = "" } }) => !known.has(upload)).forEach(look);
});
setInterval(lookAtAll, INTERVAL);
