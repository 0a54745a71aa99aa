// Where rows stand: on the page of their game, else in the tray; the sum of all in the top bar and in the tab's title.
import htmx from "../htmx-setup.js";
import { draw, forget, rowOf } from "./row.js";
import { uploads } from "./store.js";

const tray = () => document.getElementById("uploads");
const plural = (count) => `${count} upload${count === 1 ? "" : "s"}`;

function sum() {
  const { list } = uploads;
  const moving = list.filter((upload) => ["uploading", "checking"].includes(upload.phase));
  const among = (...phases) => list.filter((upload) => phases.includes(upload.phase)).length;
  const [failed, held, paused] = [among("failed", "stopped"), among("held"), among("paused")];
  const rest = [failed && `${failed} stopped`, held && `${held} held`, paused && `${paused} paused`].filter(Boolean).join(", ");
  if (moving.length) {
    const percent = Math.min(99, Math.floor((moving.reduce((total, one) => total + one.sent, 0) * 100) / moving.reduce((total, one) => total + one.size, 0)));
    const running = uploads.running.length;
    return { long: `${plural(running)} ·\u00a0`, short: `${percent}\u00a0%${rest && `, ${rest}`}`, percent, bad: failed > 0 };
  }
  if (rest) return { long: "", short: `${plural(failed || held || paused)} ${failed ? "stopped" : held ? "held" : "paused"}`, bad: failed > 0 };
  return { long: "", short: list.length ? `${plural(list.length)} done` : "", bad: false };
}

function ring(percent) {
  const drawn = document.getElementById("uploads-ring").content.firstElementChild.cloneNode(true);
  drawn.querySelector(".done").setAttribute("stroke-dasharray", `${percent} 100`);
  return drawn;
}

function place(upload) {
  const here = document.getElementById("uploads-here");
  const parent = here && here.dataset.game === upload.game ? here : document.getElementById("uploads-rows");
  const row = rowOf(upload);
  if (parent && row.parentElement !== parent) parent.append(row);
}

function drawSum() {
  const total = sum();
  const button = document.getElementById("uploads-sum");
  if (!button) return;
  button.hidden = !total.short;
  button.classList.toggle("bad", total.bad);
  if (button.dataset.text !== total.long + total.short) {
    button.dataset.text = total.long + total.short;
    const long = Object.assign(document.createElement("span"), { className: "long", textContent: total.long });
    button.replaceChildren(...(total.percent === undefined ? [] : [ring(total.percent)]), long, total.short);
    button.setAttribute("aria-label", `Uploads: ${total.long}${total.short}`);
  }
  uploads.percent = total.percent;
  document.dispatchEvent(new CustomEvent("uploads:sum", { detail: total }));
}

function drawPlaces() {
  const box = tray();
  if (!box) return;
  const here = document.getElementById("uploads-here");
  if (here) here.hidden = !here.childElementCount;
  const inTray = box.querySelector(".rows").childElementCount;
  box.hidden = !inTray;
  box.querySelector(".sum").textContent = plural(inTray);
  // What lies under the tray can be scrolled out from under it.
  // On the root: what htmx writes into the page again may carry no style.
  document.documentElement.style.setProperty("--tray", inTray ? `${box.offsetHeight}px` : "0px");
}

function drawAll() {
  for (const upload of uploads.list) {
    place(upload);
    draw(upload);
  }
  drawSum();
  drawPlaces();
}

uploads.addEventListener("change", ({ detail }) => {
  if (!detail) return drawAll();
  if (!uploads.list.includes(detail)) forget(detail);
  else {
    place(detail);
    draw(detail);
  }
  drawSum();
  drawPlaces();
});

// Times until the next try are counted down, and those since a stop counted up.
setInterval(() => uploads.list.some((upload) => ["held", "stopped"].includes(upload.phase)) && drawAll(), 1000);

htmx.onLoad(drawAll);

document.addEventListener("click", (event) => {
  const fold = event.target.closest?.(".fold-tray");
  if (fold) toggle(fold.getAttribute("aria-expanded") === "true");
  if (event.target.closest?.("#uploads-sum")) show();
});

function toggle(folded) {
  const fold = tray().querySelector(".fold-tray");
  tray().classList.toggle("folded", folded);
  fold.setAttribute("aria-expanded", String(!folded));
  fold.querySelector(".vh").textContent = folded ? "Unfold the uploads" : "Fold the uploads";
  drawPlaces();
}

function show() {
  if (!tray().hidden) toggle(!tray().classList.contains("folded"));
  else document.getElementById("uploads-here")?.scrollIntoView({ block: "center" });
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && tray()?.contains(document.activeElement)) {
    toggle(true);
    tray().querySelector(".fold-tray").focus();
  }
});

addEventListener("beforeunload", (event) => {
  if (uploads.sending.length) event.preventDefault();
});
