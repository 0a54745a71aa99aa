// What a tab in the background shows. Its title: the worst state first, as the server writes it, then how far uploads
// are. Its icon: a mark for the worst state.
import { byId } from "../elements.js";
import { uploads } from "../uploads/upload-queue.js";
import { buildTotals } from "./upload-totals.js";

const WORST = /^(\(.*?\) )?/; // "(1 failed) "
const PERCENT = /(?<=^(?:\(.*?\) )?)\d+\u00a0% · /; // what this script has written into the title

/** Icons by the title, the worst first. @type {[icon: string, title: RegExp][]} */
const ICONS = [
  ["failed", /^\([^)]*failed/],
  ["warn", /^\([^)]*(retrying|no contact)/],
  ["busy", /^\(|\d\u00a0% · /],
];

/** @param {string} title */
function iconFor(title) {
  if (uploads.list.some((upload) => upload.is("failed"))) return "failed";
  return ICONS.find(([, pattern]) => pattern.test(title))?.[0] ?? "rest";
}

function show() {
  const { percent } = buildTotals();
  const progress = percent === null ? "" : `${percent}\u00a0% · `;
  const title = document.title.replace(PERCENT, "").replace(WORST, (worst) => worst + progress);
  if (document.title !== title) document.title = title;
  const icon = byId("favicon", HTMLLinkElement);
  const href = icon?.dataset[iconFor(title)];
  if (icon && href && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}

uploads.changes.add(show);
new MutationObserver(show).observe(document.head, { subtree: true, childList: true, characterData: true });
show();
