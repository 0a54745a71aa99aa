// On other pages than their gallery, images on their way are one line of the tray, with the way back to them.
import htmx from "../htmx-setup.js";
import { uploads } from "../uploads/store.js";
import { images } from "./store.js";
import { isHere } from "./tiles.js";

const rows = new Map(); // address of the gallery -> element

function rowOf(game) {
  if (!rows.has(game.page)) {
    const row = Object.assign(document.createElement("article"), { className: "upload images-away" });
    const words = Object.assign(document.createElement("p"), { className: "words" });
    const link = Object.assign(document.createElement("a"), { href: game.page, textContent: "Show" });
    row.append(words, link);
    rows.set(game.page, row);
  }
  return rows.get(game.page);
}

function say(list) {
  const running = list.filter((image) => images.running.includes(image));
  const failed = list.filter((image) => image.phase === "failed").length;
  const sum = (of) => running.reduce((total, image) => total + of(image), 0);
  const percent = running.length ? `, ${Math.min(99, Math.floor((sum((image) => image.sent) * 100) / (sum((image) => image.file.size) || 1)))}\u00a0%` : "";
  const parts = [running.length && `${running.length} image${running.length === 1 ? "" : "s"}${percent}`, failed && `${failed} not taken`];
  return `${list[0].game.title}: ${parts.filter(Boolean).join(", ")}`;
}

function draw() {
  const away = new Map();
  for (const image of images.list) {
    if (isHere(image) || image.phase === "stored") continue;
    away.set(image.game.page, [...(away.get(image.game.page) ?? []), image]);
  }
  const place = document.getElementById("uploads-rows");
  if (!place) return;
  let moved = false;
  for (const [page, list] of away) {
    const row = rowOf(list[0].game);
    const text = say(list);
    if (row.firstElementChild.textContent !== text) row.firstElementChild.textContent = text;
    if (row.parentElement !== place) {
      place.append(row);
      htmx.process(row); // in its place, where links are boosted: a whole page load would end what is on its way
      moved = true;
    }
    away.set(page, row);
  }
  for (const [page, row] of rows) {
    if (away.has(page)) continue;
    row.remove();
    rows.delete(page);
    moved = true;
  }
  if (moved) uploads.changed(null); // the tray shows and counts itself
}

// The sum in the top bar counts images too; without any it is that of the uploads alone (uploads/tray.js).
let counted = false;

function drawSum() {
  const button = document.getElementById("uploads-sum");
  const running = [...uploads.running, ...images.running];
  if (!button || !images.running.length) {
    if (counted) {
      counted = false;
      if (button) delete button.dataset.text;
      uploads.changed(null);
    }
    return;
  }
  counted = true;
  const sum = (of) => running.reduce((total, one) => total + (of(one) || 0), 0);
  const percent = Math.min(99, Math.floor((sum((one) => one.sent) * 100) / (sum((one) => one.file?.size) || 1)));
  const [long, short] = [`${running.length} upload${running.length === 1 ? "" : "s"} · `, `${percent}\u00a0%`];
  button.hidden = false;
  if (button.dataset.text === long + short) return;
  button.dataset.text = long + short;
  button.replaceChildren(Object.assign(document.createElement("span"), { className: "long", textContent: long }), short);
  button.setAttribute("aria-label", `Uploads: ${long}${short}`);
}

function drawBoth() {
  draw();
  drawSum();
}

images.addEventListener("change", drawBoth);
document.addEventListener("uploads:sum", drawSum);
htmx.onLoad(drawBoth);
