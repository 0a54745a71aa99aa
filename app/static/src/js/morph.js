// What a live swap must not disturb, and what it should point out. Morphing keeps nodes by id, so focus, scroll and
// selection stay; these callbacks add the rest.
import { Idiomorph } from "idiomorph/htmx";
import { announce } from "./announce.js";
import { localise, localiseAll } from "./times.js";

// States worth interrupting nobody for, but worth saying once.
const milestones = new Set(["failed", "cached"]);

function stateChanged(cell, state) {
  cell.classList.remove("changed");
  void cell.offsetWidth; // starts the flash again when a cell changes twice within it
  cell.classList.add("changed");
  if (milestones.has(state)) announce((cell.querySelector(".cell") ?? cell).textContent);
}

Object.assign(Idiomorph.defaults.callbacks, {
  beforeNodeAdded(node) {
    if (node.nodeType === Node.ELEMENT_NODE) localiseAll(node);
  },
  beforeNodeMorphed(old, fresh) {
    if (fresh.nodeName === "TIME") localise(fresh); // otherwise each swap would show UTC for a moment
    if (old.dataset?.state && fresh.dataset?.state && old.dataset.state !== fresh.dataset.state) {
      fresh.dataset.was = old.dataset.state;
    }
  },
  afterNodeMorphed(node) {
    if (!node.dataset?.was) return;
    delete node.dataset.was;
    stateChanged(node, node.dataset.state);
  },
  beforeAttributeUpdated(name, node) {
    if (name === "data-loaded" || name === "data-away") return false; // what this browser knows of an image
    return !(name === "open" && node.nodeName === "DETAILS"); // the reader's own choice
  },
});
