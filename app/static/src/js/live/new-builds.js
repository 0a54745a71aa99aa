// New builds do not push the others away from under a pointer. While the pointer or the focus is in the list, new
// builds wait behind a button with their number.
import { counted } from "../counted.js";
import { all, byId, closest, create, need } from "../elements.js";

/** @param {HTMLElement} list */
const inUse = (list) => list.matches(":hover") || list.matches(":focus-within");

/** @param {ParentNode} root */
const rowsOf = (root) => all(root, "tbody tr[id]", HTMLTableRowElement);

/** @param {number} count */
function button(count) {
  const textContent = `${counted(count, "new build")}: show`;
  return create("button", { type: "button", id: "new-builds", className: "text-button", textContent });
}

document.addEventListener("htmx:oobBeforeSwap", ({ detail: { target, fragment } }) => {
  if (target.id !== "builds" || !inUse(target)) return;
  const shown = new Set(rowsOf(target).flatMap((row) => (row.hidden ? [] : row.id)));
  const added = rowsOf(fragment).filter((row) => !shown.has(row.id));
  if (!shown.size || !added.length) return;
  for (const row of added) row.hidden = true;
  need(fragment, ".section-head", HTMLElement).append(button(added.length));
});

function show() {
  for (const row of all(document, "#builds tr[hidden]", HTMLTableRowElement)) row.hidden = false;
  byId("new-builds", HTMLElement)?.remove();
}

document.addEventListener("click", (event) => {
  if (closest(event, "#new-builds", HTMLElement)) show();
});

for (const name of ["pointerover", "focusin"]) {
  document.addEventListener(name, () => {
    const list = byId("builds", HTMLElement);
    if (list && byId("new-builds", HTMLElement) && !inUse(list)) show();
  });
}
