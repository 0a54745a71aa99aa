// Where the rows of uploads are: on the page of their game, and in the tray on every other page.
import { counted } from "../counted.js";
import { byId, closest, find, need, needId } from "../elements.js";
import { onLoad } from "../htmx-setup.js";
import { uploads } from "./upload-queue.js";
import { drawRow, elementOf, removeRow } from "./upload-row.js";

/** @typedef {import("./upload.js").Upload} Upload */

const tray = () => byId("uploads", HTMLElement);
const here = () => byId("uploads-here", HTMLElement);

/** @param {Upload} upload */
function place(upload) {
  const page = here();
  const { game, file } = page?.dataset ?? {}; // `file`: on the form for a new game
  const isHere = upload.game ? upload.game.slug === game : upload === uploads.withoutGame(file);
  const parent = page && isHere ? page : byId("uploads-rows", HTMLElement);
  const row = elementOf(upload);
  if (parent && row.parentElement !== parent) parent.append(row);
}

/** Shows the tray if something is in it. */
export function drawTray() {
  const box = tray();
  if (!box) return;
  const page = here();
  if (page) page.hidden = !page.childElementCount;
  const count = need(box, ".rows", HTMLElement).childElementCount;
  if (foldedAsDone && !isDone(box)) {
    foldedAsDone = false;
    setFolded(box, false);
  }
  box.hidden = !count;
  need(box, ".sum", HTMLElement).textContent = counted(count, "upload");
  // The page is longer by the tray's height, so that everything can be scrolled out from under it. The height is set on
  // the root, because what htmx swaps in may carry no style.
  document.documentElement.style.setProperty("--tray", count ? `${box.offsetHeight}px` : "0px");
}

/** @param {Upload} upload */
function draw(upload) {
  place(upload);
  drawRow(upload);
}

function drawAll() {
  uploads.list.forEach(draw);
  drawTray();
}

uploads.changes.add((upload) => {
  if (!upload) drawAll();
  else {
    if (uploads.list.includes(upload)) draw(upload);
    else removeRow(upload);
    drawTray();
  }
});

// Times until the next try count down, and times since a stop count up.
setInterval(() => {
  if (uploads.list.some((upload) => upload.is("held", "stopped"))) drawAll();
}, 1000);

onLoad(drawAll);

// --- folding

// On the next page a tray of finished uploads makes way. One that is under way or has failed opens it again.
let foldedAsDone = false;

/** @param {HTMLElement} box */
function isDone(box) {
  const done = uploads.list.filter((upload) => upload.is("ready", "live") && box.contains(elementOf(upload)));
  return done.length > 0 && done.length === need(box, ".rows", HTMLElement).childElementCount;
}

/**
 * @param {HTMLElement} box
 * @param {boolean} folded
 */
function setFolded(box, folded) {
  const button = need(box, ".fold-tray", HTMLElement);
  box.classList.toggle("folded", folded);
  button.setAttribute("aria-expanded", String(!folded));
  need(button, ".vh", HTMLElement).textContent = folded ? "Expand the uploads" : "Collapse the uploads";
}

/** @param {boolean} folded */
function fold(folded) {
  foldedAsDone = false;
  setFolded(needId("uploads", HTMLElement), folded);
  drawTray();
}

document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const box = tray();
  const isNewPage = detail.boosted && detail.target === document.body;
  if (!isNewPage || !box || box.classList.contains("folded") || !isDone(box)) return;
  foldedAsDone = true;
  setFolded(box, true);
  drawTray();
});

function showUploads() {
  const box = needId("uploads", HTMLElement);
  if (box.hidden) here()?.scrollIntoView({ block: "center" });
  else fold(!box.classList.contains("folded"));
}

document.addEventListener("click", (event) => {
  const button = closest(event, ".fold-tray", HTMLElement);
  if (button) fold(button.getAttribute("aria-expanded") === "true");
  if (closest(event, "#uploads-sum", HTMLElement)) showUploads();
});

document.addEventListener("keydown", (event) => {
  const box = tray();
  if (event.key !== "Escape" || !box?.contains(document.activeElement)) return;
  fold(true);
  find(box, ".fold-tray", HTMLElement)?.focus();
});

addEventListener("beforeunload", (event) => {
  if (uploads.unsent.length) event.preventDefault();
});
