// The gallery's selection: all images at once, a range with Shift, and the number of selected ones. The boxes and the
// buttons also work without a script.
import { all, byId, closest, setText } from "../elements.js";

const boxes = () => all(document, "#assets-tiles input.mark", HTMLInputElement);

/** The box that was clicked last. @type {HTMLInputElement | null} */
let last = null;

function show() {
  const output = byId("selected", HTMLOutputElement);
  const whole = byId("select-all", HTMLInputElement);
  if (!output || !whole) return;
  const [found, count] = [boxes(), boxes().filter((box) => box.checked).length];
  setText(output, count ? `${count} selected` : (output.dataset.none ?? ""));
  whole.checked = count > 0 && count === found.length;
  whole.indeterminate = count > 0 && count < found.length;
}

document.addEventListener("click", (event) => {
  const whole = closest(event, "#select-all", HTMLInputElement);
  if (whole) for (const box of boxes()) box.checked = whole.checked;
  const box = closest(event, "#assets-tiles input.mark", HTMLInputElement);
  if (box && event.shiftKey && last) {
    const found = boxes();
    const [first, end] = [found.indexOf(last), found.indexOf(box)].sort((a, b) => a - b);
    if (first >= 0) for (const one of found.slice(first, end + 1)) one.checked = box.checked;
  }
  if (box) last = box;
  if (box || whole) show();
});

for (const name of ["htmx:afterSettle", "htmx:oobAfterSwap"]) document.addEventListener(name, show);
addEventListener("pageshow", show);
