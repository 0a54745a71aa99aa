// Images on their way on other pages than their gallery: one row of the tray for each gallery, with a link to it.
import { counted } from "../counted.js";
import { byId, create, setText } from "../elements.js";
import { percentOf } from "../frame/upload-totals.js";
import htmx, { onLoad } from "../htmx-setup.js";
import { drawTray } from "../uploads/upload-tray.js";
import { images } from "./image-queue.js";
import { isHere } from "./image-tiles.js";

/**
 * @typedef {import("./image-upload.js").Gallery} Gallery
 * @typedef {import("./image-upload.js").ImageUpload} ImageUpload
 *
 * @typedef {{element: HTMLElement, words: HTMLElement}} Row
 */

/** Rows by the address of their gallery. @type {Map<string, Row>} */
const rows = new Map();

/** @param {Gallery} gallery */
function rowOf({ page }) {
  const known = rows.get(page);
  if (known) return known;
  const row = {
    element: create("article", { className: "upload images-away" }),
    words: create("p", { className: "words" }),
  };
  row.element.append(row.words, create("a", { href: page, textContent: "Show" }));
  rows.set(page, row);
  return row;
}

/**
 * "Paper Lanterns: 3 images, 41 %, 1 rejected"
 * @param {ImageUpload[]} list
 */
function words(list) {
  const running = list.filter((image) => images.running.includes(image));
  const failed = list.filter((image) => image.is("failed")).length;
  const facts = [];
  if (running.length) {
    const percent = percentOf(running.map(({ progress, file }) => ({ sent: progress.sent, size: file.size })));
    facts.push(counted(running.length, "image"), `${percent}\u00a0%`);
  }
  if (failed) facts.push(`${failed} rejected`);
  return `${list[0].gallery.title}: ${facts.join(", ")}`;
}

/** Images that are not shown on this page, by the address of their gallery. */
function imagesAway() {
  /** @type {Map<string, ImageUpload[]>} */
  const away = new Map();
  for (const image of images.list) {
    if (isHere(image) || image.is("stored")) continue;
    const { page } = image.gallery;
    away.set(page, [...(away.get(page) ?? []), image]);
  }
  return away;
}

function draw() {
  const place = byId("uploads-rows", HTMLElement);
  if (!place) return;
  const away = imagesAway();
  let moved = false;
  for (const list of away.values()) {
    const row = rowOf(list[0].gallery);
    setText(row.words, words(list));
    if (row.element.parentElement === place) continue;
    place.append(row.element);
    htmx.process(row.element); // boosts the link: a page load would end what is on its way
    moved = true;
  }
  for (const [page, row] of rows) {
    if (away.has(page)) continue;
    row.element.remove();
    rows.delete(page);
    moved = true;
  }
  if (moved) drawTray();
}

images.changes.add(draw);
onLoad(draw);
