// Images on their way as tiles of the gallery. Each tile holds the box that the image itself will have, so nothing
// jumps.
import { size, sizeOf } from "../byte-sizes.js";
import { byId, find, fromTemplate, need, needId, setText } from "../elements.js";
import { announce } from "../frame/announcements.js";
import { onLoad } from "../htmx-setup.js";
import { PHASES } from "../phases.js";
import { MAX_TRIES } from "../retry-delay.js";
import { images } from "./image-queue.js";

/** @typedef {import("./image-upload.js").ImageUpload} ImageUpload */

const NO_BREAK = "\u00a0";
const MAX_STORED = 5000; // milliseconds that a stored image waits for the gallery to show it
const TICK = 200; // milliseconds

/**
 * A tile, and the state that was last announced.
 * @typedef {{element: HTMLElement | null, announced: string}} Tile
 */

/** @type {Map<ImageUpload, Tile>} */
const tiles = new Map();

const zone = () => byId("image-drop", HTMLElement);

/**
 * Whether this page is the gallery that the image goes to.
 * @param {ImageUpload} image
 */
export const isHere = ({ gallery }) => zone()?.dataset.game === gallery.game;

/**
 * @typedef {object} Action
 * @property {string} name  the class of its button
 * @property {string} label
 * @property {(image: ImageUpload) => boolean} isShown
 * @property {(image: ImageUpload) => void} act
 */

/** @param {ImageUpload} image */
function putAway(image) {
  images.remove(image);
  find(document, "[data-chooses=image-files]", HTMLElement)?.focus();
}

/** @type {Action[]} */
const ACTIONS = [
  {
    name: "cancel",
    label: "Cancel",
    isShown: (image) => image.is("waiting", "held", "uploading"),
    act: putAway,
  },
  {
    name: "retry",
    label: "Try again",
    isShown: (image) => (image.is("failed") ? !image.rejected : image.retryAt > 0),
    act: (image) => images.retry(image),
  },
  {
    name: "another",
    label: "Choose another",
    isShown: (image) => image.rejected,
    act(image) {
      needId("image-files", HTMLInputElement).click();
      putAway(image);
    },
  },
  {
    name: "dismiss",
    label: "Dismiss",
    isShown: (image) => image.is("failed"),
    act: putAway,
  },
];

/** @param {ImageUpload} image */
function make(image) {
  const tile = fromTemplate("image-upload", HTMLElement);
  const name = need(tile, ".name", HTMLElement);
  name.textContent = image.shownName;
  name.id = `image-upload-${image.number}`;
  tile.setAttribute("aria-labelledby", name.id);
  need(tile, ".progress", HTMLElement).setAttribute("aria-labelledby", name.id);
  need(tile, ".size", HTMLElement).textContent = size(image.file.size);
  for (const action of ACTIONS) {
    const button = need(tile, `.${action.name}`, HTMLButtonElement);
    button.setAttribute("aria-label", `${action.label}: ${image.shownName}`);
    button.addEventListener("click", () => action.act(image));
  }
  return tile;
}

/**
 * The phase, which is set apart, and a fact below it.
 * @param {ImageUpload} image
 * @returns {[phase: string, fact: string]}
 */
function words(image) {
  const { state, file, progress } = image;
  switch (state.name) {
    case "waiting":
      return [PHASES.waiting, state.ahead ? `${state.ahead} ahead of it` : ""];
    case "held":
      return [PHASES.waiting, heldFact(image)];
    case "uploading": {
      const left = image.secondsLeft ? ` · ${image.secondsLeft}${NO_BREAK}s` : "";
      return [`${PHASES.uploading} ${progress.percent}${NO_BREAK}%`, sizeOf(progress.sent, file.size) + left];
    }
    case "checking":
      return [PHASES.checking, `all ${size(file.size)} uploaded`];
    case "stored":
      return ["Making sizes", "The image itself is stored"];
    case "failed":
      return [state.title, state.reason];
  }
}

/** @param {ImageUpload} image */
function heldFact({ state, tries }) {
  if (state.name !== "held" || !state.retry) return "storage is unreachable, starts automatically";
  const wait = Math.max(1, Math.ceil((state.retry.at - Date.now()) / 1000));
  return `${state.retry.reason.replace(/\.$/, "")}, retrying ${tries} of ${MAX_TRIES} in ${wait}${NO_BREAK}s`;
}

/**
 * @param {Tile} tile
 * @param {ImageUpload} image
 * @param {string} text
 */
function announceState(tile, image, text) {
  if (tile.announced === image.state.name) return;
  tile.announced = image.state.name;
  if (image.is("checking", "failed", "held")) announce(`${image.shownName}: ${text}`);
  if (image.is("stored")) announce(`${image.shownName} is added`);
}

/** @param {ImageUpload} image */
function remove(image) {
  tiles.get(image)?.element?.remove();
  tiles.delete(image);
}

/** @param {ImageUpload} image */
function draw(image) {
  const tile = tiles.get(image) ?? { element: null, announced: "" };
  tiles.set(image, tile);
  const [phase, fact] = words(image);
  announceState(tile, image, `${phase}. ${fact}`);
  if (!isHere(image)) {
    tile.element?.remove();
    return;
  }
  tile.element ??= make(image);
  const place = needId("image-uploads", HTMLElement);
  if (tile.element.parentElement !== place) place.append(tile.element);
  tile.element.dataset.phase = image.state.name;
  setText(need(tile.element, ".phase", HTMLElement), phase);
  setText(need(tile.element, ".fact", HTMLElement), fact);
  drawProgress(tile.element, image.progress.percent, `${phase}, ${fact}`);
  for (const { name, isShown } of ACTIONS) need(tile.element, `.${name}`, HTMLElement).hidden = !isShown(image);
}

/**
 * @param {HTMLElement} tile
 * @param {number} percent
 * @param {string} text
 */
function drawProgress(tile, percent, text) {
  const bar = need(tile, ".progress", HTMLElement);
  bar.setAttribute("aria-valuenow", String(percent));
  bar.setAttribute("aria-valuetext", text.replace(/ · .*/, ""));
  need(tile, ".fill", SVGElement).setAttribute("width", String(percent * 10));
  need(tile, ".ring .done", SVGElement).setAttribute("stroke-dasharray", `${percent} 100`);
}

const drawAll = () => images.list.forEach(draw);

images.shownName = (key) =>
  find(document, `#assets-tiles [data-key="${CSS.escape(key)}"] .name`, HTMLElement)?.textContent ?? "";
images.changes.add((image) => {
  if (!image) drawAll();
  else if (images.list.includes(image)) draw(image);
  else remove(image);
});
onLoad(drawAll);

/**
 * Whether a stored image gives way to its own tile, which comes with the page's stream. On a page that does not show
 * that tile (a filter, another tab) it gives way to nothing.
 * @param {ImageUpload} image
 */
function givesWay(image) {
  if (image.state.name !== "stored") return false;
  const late = performance.now() - image.state.since > MAX_STORED;
  return late || images.shownName(image.state.key) !== "" || !isHere(image);
}

setInterval(() => {
  for (const image of images.list) {
    if (givesWay(image)) images.remove(image);
    else if (image.retryAt) draw(image); // the time until then counts down
  }
}, TICK);
