// What a tab in the background says: the worst state first, as the server titles the page, then how far uploads are;
// and the same as a mark on its icon.
import { uploads } from "../uploads/store.js";

const OURS = /(?<=^(?:\(.*?\) )?)\d+\u00a0% · /;
const marks = [["failed", /^\([^)]*failed/], ["warn", /^\([^)]*(retrying|no contact)/], ["busy", /^\(|\d\u00a0% · /]];

function show() {
  const plain = document.title.replace(OURS, "");
  const percent = uploads.percent === undefined ? "" : `${uploads.percent}\u00a0% · `;
  const title = plain.replace(/^(\(.*?\) )?/, (worst) => worst + percent);
  if (document.title !== title) document.title = title;
  const icon = document.getElementById("favicon");
  if (!icon) return;
  const state = uploads.list.some((upload) => upload.phase === "failed") ? "failed" : marks.find(([, words]) => words.test(title))?.[0];
  const href = icon.dataset[state ?? "rest"];
  if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}

document.addEventListener("uploads:sum", show);
new MutationObserver(show).observe(document.head, { subtree: true, childList: true, characterData: true });
show();
