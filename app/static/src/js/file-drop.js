// Files come to a page: dropped anywhere on it, or chosen with a button. A part of the script that takes them calls
// addDropArea().
import { closest, need, needId, setText } from "./elements.js";

/**
 * What takes files on some pages.
 * @typedef {object} DropArea
 * @property {() => boolean} isHere          whether this page has it
 * @property {() => HTMLElement | null} box  its element, which shows that files are over the page
 * @property {(count: number) => string} preview  what becomes of that many files
 * @property {(files: File[]) => void} take
 * @property {string} fieldId                its field for chosen files
 */

/** @type {DropArea[]} */
const areas = [];
let depth = 0; // dragenter and dragleave come for every element on the way

/** @param {DropArea} area */
export const addDropArea = (area) => areas.push(area);

const areaHere = () => areas.find((area) => area.isHere());

/**
 * Whether files are over the page. The browser itself puts those over a file field into the field.
 * @param {DragEvent} event
 */
const hasFiles = ({ dataTransfer, target }) =>
  !(target instanceof HTMLInputElement) && (dataTransfer?.types.includes("Files") ?? false);

/**
 * @param {HTMLElement} box
 * @param {boolean} over
 */
function mark(box, over) {
  box.classList.toggle("over", over);
  const heading = need(box, "[data-over]", HTMLElement);
  heading.textContent = heading.dataset[over ? "over" : "rest"] ?? "";
}

function rest() {
  depth = 0;
  const box = areaHere()?.box();
  if (box) mark(box, false);
}

document.addEventListener("dragenter", (event) => {
  const area = areaHere();
  if (!hasFiles(event) || !area) return;
  event.preventDefault();
  depth += 1;
  const box = area.box();
  if (depth > 1 || !box) return;
  mark(box, true);
  setText(need(box, ".say-over", HTMLElement), area.preview(event.dataTransfer?.items.length ?? 1));
});

document.addEventListener("dragover", (event) => {
  if (!hasFiles(event) || !event.dataTransfer) return;
  // Otherwise the browser would leave the page for the file, on pages that take none too.
  event.preventDefault();
  event.dataTransfer.dropEffect = areaHere() ? "copy" : "none";
});

document.addEventListener("dragleave", (event) => {
  if (!hasFiles(event) || !areaHere()) return;
  depth -= 1;
  if (depth <= 0) rest();
});

document.addEventListener("drop", (event) => {
  if (!hasFiles(event) || !event.dataTransfer) return;
  event.preventDefault();
  rest();
  areaHere()?.take([...event.dataTransfer.files]);
});

// --- and so does the button

document.addEventListener("click", (event) => {
  const button = closest(event, "[data-chooses]", HTMLElement);
  if (button) needId(button.dataset.chooses ?? "", HTMLInputElement).click();
});

document.addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLInputElement)) return;
  const area = areas.find(({ fieldId }) => fieldId === target.id);
  if (!area) return;
  area.take([...(target.files ?? [])]);
  target.value = ""; // the same file may be chosen again
});
