// Rows that are a link. The link of the title covers its row (css/parts/table.css). Texts with a tooltip lie above it,
// so that the tooltip shows and the text can be selected; a press on one follows the link from here.
import { closest, find } from "../elements.js";

const CONTROLS = "a, button, input, select, label";

/**
 * With the same keys, or the middle button for another tab, as if the link itself was pressed.
 * @param {MouseEvent} event
 */
function follow(event) {
  const row = closest(event, "tr", HTMLTableRowElement);
  const link = row && find(row, ".row-link", HTMLAnchorElement);
  if (!link || closest(event, CONTROLS, HTMLElement) || event.button > 1 || getSelection()?.type === "Range") return;
  const { metaKey, shiftKey } = event;
  const ctrlKey = event.ctrlKey || event.button === 1;
  link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
}

document.addEventListener("click", follow);
document.addEventListener("auxclick", follow);
