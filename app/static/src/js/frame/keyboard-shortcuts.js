// "/" focuses the search. Esc, or a click elsewhere, closes an open menu.
import { all, closest, find, need } from "../elements.js";

const openMenus = () => all(document, "details.menu[open]", HTMLDetailsElement);

/** @param {KeyboardEvent} event */
function isShortcut(event) {
  const typing = closest(event, "input, textarea, select, [contenteditable]", HTMLElement);
  return !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of openMenus()) {
      menu.open = false;
      need(menu, "summary", HTMLElement).focus();
    }
  }
  if (event.key === "/" && isShortcut(event)) {
    const search = find(document, "input[type=search]", HTMLInputElement);
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  }
});

document.addEventListener("click", ({ target }) => {
  for (const menu of openMenus()) if (target instanceof Node && !menu.contains(target)) menu.open = false;
});
