// Images fade in over their placeholder. It is painted on a canvas, as the content policy allows neither inline styles
// nor data: addresses. An image that does not come is marked as away; it is stored all the same.
import { all } from "../elements.js";
import { bytesOf, pixels } from "./thumbhash.js";

/** @type {WeakSet<HTMLCanvasElement>} */
const painted = new WeakSet();

/** @param {HTMLCanvasElement} canvas */
function paint(canvas) {
  if (painted.has(canvas)) return;
  painted.add(canvas);
  const { width, height } = canvas;
  const data = pixels(bytesOf(canvas.dataset.thumbhash ?? ""), width, height);
  canvas.getContext("2d")?.putImageData(new ImageData(data, width, height), 0, 0);
}

/** @param {HTMLImageElement} image */
function mark(image) {
  if (!image.complete || !image.closest(".picture")) return;
  // A lazy image that has not been asked for has no size either, but is not complete.
  image.toggleAttribute("data-loaded", image.naturalWidth > 0);
  image.toggleAttribute("data-away", image.naturalWidth === 0);
}

/** @param {ParentNode} root */
function look(root) {
  all(root, "canvas[data-thumbhash]", HTMLCanvasElement).forEach(paint);
  for (const image of all(root, ".picture img", HTMLImageElement)) if (image.naturalWidth) mark(image);
}

// In the capture phase: neither event bubbles.
for (const name of ["load", "error"]) {
  document.addEventListener(
    name,
    ({ target }) => {
      if (target instanceof HTMLImageElement) mark(target);
    },
    true,
  );
}

new MutationObserver((changes) => {
  for (const node of changes.flatMap((change) => [...change.addedNodes])) {
    if (node instanceof Element && node.parentElement) look(node.parentElement);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
look(document);
