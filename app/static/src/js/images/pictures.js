// Images fade in over their placeholder: painted on a canvas, as the policy allows no inline style and no data: address.
// One that does not come is said to be away; it is stored all the same.
import { bytesOf, pixels } from "./thumbhash.js";

const drawn = new WeakSet();

function paint(canvas) {
  if (drawn.has(canvas)) return;
  drawn.add(canvas);
  const { width, height } = canvas;
  canvas.getContext("2d").putImageData(new ImageData(pixels(bytesOf(canvas.dataset.thumbhash), width, height), width, height), 0, 0);
}

function mark(image) {
  if (!image.complete || !image.closest(".picture")) return;
  // One that is only not asked for yet (lazy) has no size either, but is not complete.
  image.toggleAttribute("data-loaded", image.naturalWidth > 0);
  image.toggleAttribute("data-away", image.naturalWidth === 0);
}

function look(root) {
  for (const canvas of root.querySelectorAll("canvas[data-thumbhash]")) paint(canvas);
  for (const image of root.querySelectorAll(".picture img")) if (image.complete && image.naturalWidth) mark(image);
}

// Neither of the two bubbles.
for (const event of ["load", "error"]) {
  document.addEventListener(event, ({ target }) => target.nodeName === "IMG" && mark(target), true);
}
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === Node.ELEMENT_NODE && node.parentElement) look(node.parentElement);
}).observe(document.documentElement, { childList: true, subtree: true });
look(document);
