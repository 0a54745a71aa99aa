// Rows keep their places while the pointer or the focus is among them. A table that is sorted worst first would
// otherwise move a link away from under a finger. Rows whose place has changed move when pointer and focus leave.
//
//   <div id="servers-table" data-keeps-order> … <tbody id="server-srv-01"> … </div>
//   <div id="builds-table" data-keeps-order> … <tr id="b12"> … </div>
import { all } from "../elements.js";

/**
 * Tables in use, with the ids of their rows in the order that they should have.
 * @type {Map<HTMLElement, string[]>}
 */
const waiting = new Map();

/** @param {ParentNode} root */
const rowsOf = (root) => all(root, "tbody[id], tr[id]", HTMLElement);

/** @param {HTMLElement} root */
const inUse = (root) => root.matches(":hover") || root.matches(":focus-within");

/**
 * @param {ParentNode} root
 * @param {string[]} ids
 */
function arrange(root, ids) {
  const places = new Map(ids.map((id, place) => [id, place]));
  /** @param {HTMLElement} row */
  const placeOf = (row) => places.get(row.id) ?? ids.length; // new rows come last
  const rows = rowsOf(root).sort((one, other) => placeOf(one) - placeOf(other));
  rows[0]?.parentElement?.append(...rows);
}

document.addEventListener("htmx:oobBeforeSwap", ({ detail: { target, fragment } }) => {
  if (!target.matches("[data-keeps-order]")) return;
  waiting.delete(target);
  if (!inUse(target)) return;
  const wanted = rowsOf(fragment).map((row) => row.id);
  const present = rowsOf(target).map((row) => row.id);
  if (wanted.join() === present.join()) return;
  arrange(fragment, present);
  waiting.set(target, wanted);
});

function arrangeIdle() {
  for (const [root, ids] of waiting) {
    if (root.isConnected && inUse(root)) continue;
    waiting.delete(root);
    if (root.isConnected) arrange(root, ids);
  }
}

// In the next task: during the event nothing has the focus.
function arrangeSoon() {
  if (waiting.size) setTimeout(arrangeIdle);
}

for (const name of ["pointerover", "focusin", "focusout"]) document.addEventListener(name, arrangeSoon);
document.documentElement.addEventListener("pointerleave", arrangeSoon);
