// On narrow pages the side navigation is a row that scrolls: the entry of the current page is scrolled into sight.
import { find } from "../elements.js";
import { onLoad } from "../htmx-setup.js";

onLoad(() => {
  const row = find(document, ".side-nav", HTMLElement);
  if (!row || row.scrollWidth <= row.clientWidth) return;
  const current = find(row, "[aria-current]", HTMLElement);
  if (current) row.scrollLeft = current.offsetLeft - (row.clientWidth - current.offsetWidth) / 2;
});
