// The button in the top bar that sums up all uploads of this window: "2 uploads · 41 %, 1 stopped". Images count as
// well.
import { counted } from "../counted.js";
import { byId, create, fromTemplate, need } from "../elements.js";
import { onLoad } from "../htmx-setup.js";
import { images } from "../images/image-queue.js";
import { uploads } from "../uploads/upload-queue.js";

/**
 * @typedef {import("../uploads/upload.js").UploadState} UploadState
 *
 * @typedef {object} Totals
 * @property {string} long   left out where there is little room
 * @property {string} short  "" if there are no uploads
 * @property {number | null} percent  of the builds that are being sent or checked; null if none is
 * @property {boolean} failed
 */

const NO_BREAK = "\u00a0";

/** @param {...UploadState["name"]} states */
const countOf = (...states) => uploads.list.filter((upload) => upload.is(...states)).length;

/**
 * How many percent of some files have been sent; never 100, because something is still running.
 * @param {{sent: number, size: number}[]} files
 */
export function percentOf(files) {
  const sent = files.reduce((total, file) => total + file.sent, 0);
  const size = files.reduce((total, file) => total + file.size, 0);
  return Math.min(99, Math.floor((sent * 100) / (size || 1)));
}

/** Of the builds alone. @returns {Totals} */
export function buildTotals() {
  const moving = uploads.list.filter((upload) => upload.is("uploading", "checking"));
  const standing = [
    { count: countOf("failed", "stopped"), word: "stopped" },
    { count: countOf("held"), word: "held" },
    { count: countOf("paused"), word: "paused" },
    { count: countOf("waiting"), word: "waiting" },
    { count: countOf("sent"), word: "without a game" },
  ].filter(({ count }) => count);
  const failed = countOf("failed", "stopped") > 0;
  if (moving.length) {
    const percent = percentOf(moving.map(({ progress, size }) => ({ sent: progress.sent, size })));
    const rest = standing.map(({ count, word }) => `${count} ${word}`);
    const long = `${counted(uploads.running.length, "upload")} ·${NO_BREAK}`;
    return { long, short: [`${percent}${NO_BREAK}%`, ...rest].join(", "), percent, failed };
  }
  const [first] = standing;
  if (first) return { long: "", short: `${counted(first.count, "upload")} ${first.word}`, percent: null, failed };
  const { length } = uploads.list;
  return { long: "", short: length ? `${counted(length, "upload")} done` : "", percent: null, failed };
}

/** Of builds and images. @returns {Totals} */
function allTotals() {
  const totals = buildTotals();
  if (!images.running.length) return totals;
  const files = [
    ...uploads.running.map(({ progress, size }) => ({ sent: progress.sent, size })),
    ...images.running.map(({ progress, file }) => ({ sent: progress.sent, size: file.size })),
  ];
  const short = `${percentOf(files)}${NO_BREAK}%`;
  return { ...totals, long: `${counted(files.length, "upload")} · `, short, percent: null };
}

/** @param {number} percent */
function ring(percent) {
  const drawn = fromTemplate("uploads-ring", SVGElement);
  need(drawn, ".done", SVGElement).setAttribute("stroke-dasharray", `${percent} 100`);
  return drawn;
}

function draw() {
  const button = byId("uploads-sum", HTMLElement);
  if (!button) return;
  const { long, short, percent, failed } = allTotals();
  const text = long + short;
  button.hidden = !short;
  button.classList.toggle("bad", failed);
  if (button.dataset.text === text) return;
  button.dataset.text = text;
  const words = create("span", { className: "long", textContent: long });
  button.replaceChildren(...(percent === null ? [] : [ring(percent)]), words, short);
  button.setAttribute("aria-label", `Uploads: ${text}`);
}

uploads.changes.add(draw);
images.changes.add(draw);
onLoad(draw);
