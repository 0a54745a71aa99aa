// Images on their way as tiles of the gallery. Each holds the box that the image itself will have, so nothing jumps.
import { announce } from "../frame/announcements.js";
import htmx from "../htmx-setup.js";
import { size, sizeOf } from "../uploads/words.js";
import { images } from "./store.js";

const SPACE = "\u00a0";
const tiles = new Map(); // image -> element
const zone = () => document.getElementById("image-drop");
export const isHere = (image) => zone()?.dataset.game === image.game.game;

function tileOf(image) {
  if (!tiles.has(image)) tiles.set(image, make(image));
  return tiles.get(image);
}

function make(image) {
  const tile = document.getElementById("image-upload").content.firstElementChild.cloneNode(true);
  const name = tile.querySelector(".name");
  name.textContent = image.file.name;
  name.id = `image-upload-${image.id}`;
  tile.setAttribute("aria-labelledby", name.id);
  tile.querySelector(".progress").setAttribute("aria-labelledby", name.id);
  tile.querySelector(".size").textContent = size(image.file.size);
  for (const [action, label] of [["cancel", "Cancel"], ["retry", "Try again"], ["another", "Choose another"], ["dismiss", "Dismiss"]]) {
    const button = tile.querySelector(`.${action}`);
    button.setAttribute("aria-label", `${label}: ${image.file.name}`);
    button.addEventListener("click", () => act(action, image));
  }
  return tile;
}

function act(action, image) {
  if (action === "retry") return images.retry(image);
  if (action === "another") document.getElementById("image-files").click();
  images.remove(image);
  document.querySelector("[data-chooses=image-files]")?.focus();
}

function words(image) {
  const wait = Math.max(1, Math.ceil((image.retryAt - Date.now()) / 1000));
  switch (image.phase) {
    case "waiting":
      return ["Waiting", image.ahead ? `${image.ahead} ahead of it` : ""];
    case "held":
      return ["Held", image.retryAt ? `${image.reason}, retrying ${image.tries} of ${image.mostTries} in ${wait}${SPACE}s` : "Storage is unreachable, it starts by itself"];
    case "uploading":
      return [`Uploading ${image.percent}${SPACE}%`, sizeOf(image.sent, image.file.size) + (image.left ? ` · ${image.left}${SPACE}s` : "")];
    case "checking":
      return ["Checking", `all ${size(image.file.size)} sent`];
    case "stored":
      return ["Making sizes", "The image itself is stored"];
    default:
      return [image.title, image.tooLarge ? `It has ${size(image.file.size)}. Export it smaller and choose it again.` : image.reason];
  }
}

const set = (element, text) => element.textContent === text || (element.textContent = text);

function draw(image) {
  if (!images.list.includes(image)) {
    tiles.get(image)?.remove();
    tiles.delete(image);
    return;
  }
  const [phase, fact] = words(image);
  if (image.saidPhase !== image.phase) {
    image.saidPhase = image.phase;
    if (["checking", "failed", "held"].includes(image.phase)) announce(`${image.file.name}: ${phase}. ${fact}`);
    if (image.phase === "stored") announce(`${image.file.name} is added`);
  }
  if (!isHere(image)) return tiles.get(image)?.remove();
  const tile = tileOf(image);
  const place = document.getElementById("image-uploads");
  if (tile.parentElement !== place) place.append(tile);
  tile.dataset.phase = image.phase;
  set(tile.querySelector(".phase"), phase);
  set(tile.querySelector(".fact"), fact);
  const bar = tile.querySelector(".progress");
  bar.setAttribute("aria-valuenow", image.percent);
  bar.setAttribute("aria-valuetext", `${phase}, ${fact}`.replace(/ · .*/, ""));
  tile.querySelector(".fill").setAttribute("width", image.percent * 10);
  tile.querySelector(".ring .done").setAttribute("stroke-dasharray", `${image.percent} 100`);
  const failed = image.phase === "failed";
  tile.querySelector(".cancel").hidden = failed || ["checking", "stored"].includes(image.phase);
  tile.querySelector(".retry").hidden = failed ? Boolean(image.final) : !image.retryAt;
  tile.querySelector(".another").hidden = !failed || !image.final;
  tile.querySelector(".dismiss").hidden = !failed;
}

images.addEventListener("change", ({ detail }) => (detail ? draw(detail) : images.list.forEach(draw)));
htmx.onLoad(() => images.list.forEach(draw));

// A stored image gives way to its own tile, which comes with the page's stream; on a page that does not show it (a
// filter, another tab) to nothing.
setInterval(() => {
  for (const image of images.list) {
    if (image.phase === "held" && image.retryAt) draw(image);
    if (image.phase !== "stored") continue;
    const late = performance.now() - image.storedAt > 5000;
    if (!isHere(image) || late || document.querySelector(`#assets-tiles [data-key="${CSS.escape(image.key)}"]`)) images.remove(image);
  }
}, 200);
