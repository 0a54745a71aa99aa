// Images come to a game: dropped anywhere on its gallery, or chosen.
import htmx from "../htmx-setup.js";
import { images } from "./store.js";

const zone = () => document.getElementById("image-drop");
const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
let depth = 0; // dragenter and dragleave come for every element on the way

function take(files) {
  const game = { ...zone().dataset };
  for (const file of files) images.add(file, game);
  images.run();
}

function over(event) {
  const box = zone();
  box.classList.add("over");
  const heading = box.querySelector("[data-over]");
  heading.textContent = heading.dataset.over;
  const count = event.dataTransfer.items.length;
  box.querySelector(".say-over").textContent = `${count > 1 ? `${count} images are` : "The image is"} added to ${box.dataset.title}.`;
}

function rest() {
  depth = 0;
  const box = zone();
  box.classList.remove("over");
  const heading = box.querySelector("[data-over]");
  heading.textContent = heading.dataset.rest;
}

const here = (action) => (event) => hasFiles(event) && zone() && action(event);

document.addEventListener("dragenter", here((event) => {
  event.preventDefault();
  depth += 1;
  if (depth === 1) over(event);
}));
document.addEventListener("dragover", here((event) => {
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
}));
document.addEventListener("dragleave", here(() => {
  depth -= 1;
  if (depth <= 0) rest();
}));
document.addEventListener("drop", here((event) => {
  event.preventDefault();
  rest();
  take(event.dataTransfer.files);
}));
document.addEventListener("change", ({ target }) => {
  if (target.id !== "image-files") return;
  take(target.files);
  target.value = ""; // the same file may be chosen again
});

function look() {
  const held = Boolean(document.querySelector("#storage .banner"));
  zone()?.classList.toggle("held", held);
  images.hold(held);
}

htmx.onLoad(look);
document.addEventListener("htmx:afterSettle", look);
addEventListener("beforeunload", (event) => images.running.length && event.preventDefault());
