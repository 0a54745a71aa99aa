// What a live swap must not disturb, and what it points out. Morphing keeps nodes by id, and with them focus, scroll
// position and selection; these callbacks add the rest.
import { Idiomorph } from "idiomorph/htmx";
import { announce } from "../frame/announcements.js";
import { localise, localiseAll } from "../times/local-times.js";

const ANNOUNCED = new Set(["failed", "cached"]);

/** What this browser has found out about an image (images/placeholders.js). */
const FOUND_HERE = new Set(["data-loaded", "data-away"]);

/**
 * @param {HTMLElement} cell
 * @param {string} state
 */
function stateChanged(cell, state) {
  cell.classList.remove("changed");
  void cell.offsetWidth; // restarts the flash of a cell that changes twice within it
  cell.classList.add("changed");
  if (ANNOUNCED.has(state)) announce((cell.querySelector(".cell") ?? cell).textContent);
}

/**
 * Nodes that have changed their state, until they are morphed.
 * @type {WeakSet<Node>}
 */
const changing = new WeakSet();

Object.assign(Idiomorph.defaults.callbacks, {
  /** @param {Node} node */
  beforeNodeAdded(node) {
    if (node instanceof Element) localiseAll(node);
  },
  /**
   * @param {Node} old
   * @param {Node} fresh
   */
  beforeNodeMorphed(old, fresh) {
    if (fresh instanceof HTMLTimeElement) localise(fresh); // otherwise each swap would show UTC for a moment
    if (!(old instanceof HTMLElement && fresh instanceof HTMLElement)) return;
    const [before, after] = [old.dataset.state, fresh.dataset.state];
    if (before && after && before !== after) changing.add(old);
  },
  /** @param {Node} node */
  afterNodeMorphed(node) {
    if (node instanceof HTMLElement && changing.delete(node)) stateChanged(node, node.dataset.state ?? "");
  },
  /**
   * @param {string} name
   * @param {Element} node
   */
  beforeAttributeUpdated(name, node) {
    if (FOUND_HERE.has(name)) return false;
    if (name === "checked") return false; // the reader's own choice, as is the next one
    return !(name === "open" && node instanceof HTMLDetailsElement);
  },
});
