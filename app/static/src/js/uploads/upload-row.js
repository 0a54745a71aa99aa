// One upload as a row. Its element is made once, and moves between the tray and the page of its game.
import { all, fromTemplate, need, setText } from "../elements.js";
import { announce } from "../frame/announcements.js";
import { localise } from "../times/local-times.js";
import { isFormOpen, openForm } from "./new-game.js";
import { chooseAgain } from "./resume-stopped.js";
import { uploads } from "./upload-queue.js";
import { words } from "./upload-words.js";

/** @typedef {import("./upload.js").Upload} Upload */

const QUIET = 30_000; // milliseconds between two announcements of an upload's progress, unless it passes a quarter

/**
 * A row, and what was last announced of its upload.
 * @typedef {{element: HTMLElement, announcedAt: number, quarter: number}} Row
 */

/** @type {Map<Upload, Row>} */
const rows = new Map();

/**
 * A button of a row. One that has ended is put away ("Dismiss"), another one is given up ("Cancel", "Discard").
 * @typedef {object} Action
 * @property {string} name  its class
 * @property {(upload: Upload) => boolean} isShown
 * @property {(upload: Upload) => string} label
 * @property {(upload: Upload) => void} act
 */

/** @param {Upload} upload */
const isOver = (upload) => upload.is("ready", "live", "failed");

/** @type {Action[]} */
const ACTIONS = [
  {
    name: "pause",
    isShown: (upload) => upload.is("uploading", "held", "paused") && upload.transfer !== null,
    label: (upload) => (upload.paused ? "Resume" : "Pause"),
    act: (upload) => uploads.togglePause(upload),
  },
  {
    name: "again",
    isShown: (upload) => upload.is("stopped"),
    label: () => "Choose the file again",
    act: chooseAgain,
  },
  {
    name: "register",
    isShown: (upload) => upload.is("sent") && !upload.game && !isFormOpen(),
    label: () => "Register its game",
    act: (upload) => openForm(upload.name, upload.file),
  },
  {
    name: "retry",
    isShown: (upload) => upload.is("failed") && !upload.decided,
    label: () => "Try again",
    act: (upload) => uploads.retry(upload),
  },
  {
    name: "cancel",
    isShown: (upload) => !isOver(upload),
    label: (upload) => (upload.is("stopped") ? "Discard" : "Cancel"),
    act: (upload) => uploads.cancel(upload),
  },
  {
    name: "dismiss",
    isShown: isOver,
    label: () => "Dismiss",
    act: (upload) => uploads.cancel(upload),
  },
];

/** @param {Upload} upload */
function rowOf(upload) {
  const row = rows.get(upload) ?? { element: make(upload), announcedAt: 0, quarter: 0 };
  rows.set(upload, row);
  return row;
}

/** @param {Upload} upload */
export const elementOf = (upload) => rowOf(upload).element;

/** @param {Upload} upload */
export function removeRow(upload) {
  rows.get(upload)?.element.remove();
  rows.delete(upload);
}

/** @param {Upload} upload */
function make(upload) {
  const row = fromTemplate("upload-row", HTMLElement);
  const name = need(row, ".name", HTMLElement);
  name.textContent = upload.shownName;
  name.id = `upload-${upload.number}`;
  row.setAttribute("aria-labelledby", name.id);
  need(row, ".progress", HTMLElement).setAttribute("aria-labelledby", name.id);
  for (const action of ACTIONS) {
    need(row, `.${action.name}`, HTMLButtonElement).addEventListener("click", () => action.act(upload));
  }
  return row;
}

/** @param {Upload} upload */
export function drawRow(upload) {
  const row = rowOf(upload);
  const [phase, facts] = words(upload);
  announceProgress(row, upload, `${upload.shownName}: ${phase}`, facts);
  row.element.dataset.phase = upload.state.name;
  setText(need(row.element, ".becomes", HTMLElement), expectedBuild(upload));
  setText(need(row.element, ".phase", HTMLElement), phase);
  setText(need(row.element, ".facts", HTMLElement), facts);
  drawBar(row.element, upload, `${phase}${facts}`);
  for (const action of ACTIONS) drawButton(row.element, upload, action);
  drawExpiry(need(row.element, ".kept", HTMLElement), upload);
  drawSteps(row.element, upload);
}

/** @param {Upload} upload */
function expectedBuild({ game, ended, version }) {
  return ended ? "" : `becomes build ${game?.nextBuild ?? 1}${version ? ` · ${version}` : ""}`;
}

/**
 * A rejected file has no bar: nothing of it is on its way.
 * @param {HTMLElement} row
 * @param {Upload} upload
 * @param {string} text
 */
function drawBar(row, { rejected, progress: { percent } }, text) {
  const bar = need(row, ".progress", HTMLElement);
  bar.hidden = rejected;
  bar.setAttribute("aria-valuenow", String(percent));
  bar.setAttribute("aria-valuetext", text.replace(/ · .*\/s.*/, ""));
  need(bar, ".fill", SVGElement).setAttribute("width", String(percent * 10));
}

/**
 * @param {HTMLElement} row
 * @param {Upload} upload
 * @param {Action} action
 */
function drawButton(row, upload, { name, isShown, label }) {
  const button = need(row, `.${name}`, HTMLButtonElement);
  button.hidden = !isShown(upload);
  setText(need(button, ".label", HTMLElement), label(upload));
  button.setAttribute("aria-label", `${label(upload)}: ${upload.shownName}`);
}

/**
 * Until when storage keeps what a stopped upload has sent.
 * @param {HTMLElement} kept
 * @param {Upload} upload
 */
function drawExpiry(kept, { state }) {
  const expiresAt = state.name === "stopped" ? state.expiresAt : null;
  kept.hidden = !expiresAt;
  if (!expiresAt) return;
  const time = need(kept, "time", HTMLTimeElement);
  time.dateTime = expiresAt;
  localise(time);
}

/**
 * The step of the list "Waiting, Uploading, Checking, Ready".
 * @param {Upload} upload
 */
function stepOf({ state, progress }) {
  if (state.name === "held") return progress.sent ? "uploading" : "waiting";
  if (state.name === "paused" || state.name === "sent") return "uploading";
  return state.name === "live" ? "ready" : state.name;
}

/**
 * @param {HTMLElement} row
 * @param {Upload} upload
 */
function drawSteps(row, upload) {
  const step = stepOf(upload);
  for (const item of all(row, "[data-step]", HTMLElement)) {
    if (item.dataset.step === step) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
}

/**
 * Each new state is announced, and an upload's progress every quarter or every half minute; not every percent.
 * @param {Row} row
 * @param {Upload} upload
 * @param {string} phase
 * @param {string} facts
 */
function announceProgress(row, upload, phase, facts) {
  const sending = upload.is("uploading");
  const quarter = sending ? Math.floor(upload.progress.percent / 25) : 0;
  if (row.element.dataset.phase !== upload.state.name) {
    if (!upload.is("waiting")) announce(sending ? phase : `${phase}${facts}`);
  } else {
    if (!sending || (quarter === row.quarter && Date.now() - row.announcedAt < QUIET)) return;
    if (upload.progress.percent > 0) announce(`${phase}${facts}`);
  }
  row.quarter = quarter;
  row.announcedAt = Date.now();
}
