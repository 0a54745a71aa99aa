// On narrow pages the side navigation is a row that scrolls: the place one is at must be in sight.
import htmx from "./requests.js";

htmx.onLoad(() => {
  const row = document.querySelector(".side-nav");
  const current = row?.querySelector("[aria-current]");
  if (!current || row.scrollWidth <= row.clientWidth) return;
  row.scrollLeft = current.offsetLeft - (row.clientWidth - current.offsetWidth) / 2;
});
