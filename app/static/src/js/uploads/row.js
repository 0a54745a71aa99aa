// One upload as a row. The element is made once and moves between the tray and the page of its game.
import { announce } from "../frame/announcements.js";
import { localise } from "../times/local-times.js";
import { chooseAgain } from "./again.js";
import { uploads } from "./store.js";
import { words } from "./words.js";

const rows = new Map(); // upload -> element

// In which phases a button is there. One that has ended is put away, another is given up.
const over = (upload) => ["ready", "live", "failed"].includes(upload.phase);
const shown = {
  pause: (upload) => ["uploading", "held", "paused"].includes(upload.phase) && Boolean(upload.started),
  again: (upload) => upload.phase === "stopped",
  retry: (upload) => upload.phase === "failed" && !upload.final,
  cancel: (upload) => !over(upload),
  dismiss: over,
};
const does = {
  pause: (upload) => uploads.pause(upload),
  again: chooseAgain,
  retry: (upload) => uploads.retry(upload),
  cancel: (upload) => uploads.cancel(upload),
  dismiss: (upload) => uploads.cancel(upload),
};
const labels = {
  pause: (upload) => (upload.paused ? "Resume" : "Pause"),
  again: () => "Choose the file again",
  retry: () => "Try again",
  cancel: (upload) => (upload.phase === "stopped" ? "Discard" : "Cancel"),
  dismiss: () => "Dismiss",
};

export function rowOf(upload) {
  if (!rows.has(upload)) rows.set(upload, make(upload));
  return rows.get(upload);
}

export function forget(upload) {
  rows.get(upload)?.remove();
  rows.delete(upload);
}

function make(upload) {
  const row = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
  const name = row.querySelector(".name");
  name.textContent = upload.name;
  name.id = `upload-${upload.id}`;
  row.setAttribute("aria-labelledby", name.id);
  row.querySelector(".progress").setAttribute("aria-labelledby", name.id);
  for (const [action, act] of Object.entries(does)) row.querySelector(`.${action}`).addEventListener("click", () => act(upload));
  return row;
}

const set = (element, text) => element.textContent === text || (element.textContent = text);

export function draw(upload) {
  const row = rowOf(upload);
  const [phase, facts] = words(upload);
  if (row.dataset.phase !== upload.phase) {
    row.dataset.phase = upload.phase;
    if (upload.phase !== "waiting") announce(`${upload.name}: ${phase}${upload.phase === "uploading" ? "" : facts}`);
    upload.saidAt = Date.now();
    upload.saidPercent = 0;
  }
  set(row.querySelector(".becomes"), upload.becomes && !over(upload) && upload.phase !== "stopped" ? `becomes build ${upload.becomes}` : "");
  set(row.querySelector(".phase"), phase);
  set(row.querySelector(".facts"), facts);
  const bar = row.querySelector(".progress");
  bar.setAttribute("aria-valuenow", upload.percent);
  bar.setAttribute("aria-valuetext", `${phase}${facts}`.replace(/ · .*\/s.*/, ""));
  row.querySelector(".fill").setAttribute("width", upload.percent * 10);
  drawButtons(row, upload);
  drawKept(row.querySelector(".kept"), upload);
  const step = { live: "ready", held: upload.sent ? "uploading" : "waiting", paused: "uploading" }[upload.phase] ?? upload.phase;
  for (const item of row.querySelectorAll("[data-step]")) {
    if (item.dataset.step === step) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  sayMilestone(upload, phase, facts);
}

function drawButtons(row, upload) {
  for (const action of Object.keys(does)) {
    const button = row.querySelector(`.${action}`);
    const label = labels[action](upload);
    button.hidden = !shown[action](upload);
    set(button.querySelector(".label"), label);
    button.setAttribute("aria-label", `${label}: ${upload.name}`);
  }
}

function drawKept(kept, upload) {
  kept.hidden = upload.phase !== "stopped" || !upload.expiresAt;
  if (kept.hidden) return;
  const time = kept.querySelector("time");
  time.dateTime = upload.expiresAt;
  localise(time);
}

// Every quarter, or every half minute; not every percent.
function sayMilestone(upload, phase, facts) {
  if (upload.phase !== "uploading") return;
  const quarter = Math.floor(upload.percent / 25);
  if (quarter === upload.saidPercent && Date.now() - upload.saidAt < 30_000) return;
  if (upload.percent > 0) announce(`${upload.name}: ${phase}${facts}`);
  upload.saidPercent = quarter;
  upload.saidAt = Date.now();
}
