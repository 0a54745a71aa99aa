// One upload as a row. The element is made once and moves between the tray and the page of its game.
import { announce } from "../announce.js";
import { uploads } from "./store.js";
import { words } from "./words.js";

const rows = new Map(); // upload -> element

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
  name.textContent = upload.file.name;
  name.id = `upload-${upload.id}`;
  row.setAttribute("aria-labelledby", name.id);
  row.querySelector(".progress").setAttribute("aria-labelledby", name.id);
  for (const [action, label] of [["cancel", "Cancel"], ["retry", "Try again"], ["dismiss", "Dismiss"]]) {
    const button = row.querySelector(`.${action}`);
    button.setAttribute("aria-label", `${label}: ${upload.file.name}`);
    button.addEventListener("click", () => (action === "retry" ? uploads.retry(upload) : uploads.cancel(upload)));
  }
  return row;
}

const set = (element, text) => element.textContent === text || (element.textContent = text);

export function draw(upload) {
  const row = rowOf(upload);
  const [phase, facts] = words(upload);
  const over = ["ready", "live", "failed"].includes(upload.phase);
  if (row.dataset.phase !== upload.phase) {
    row.dataset.phase = upload.phase;
    if (upload.phase !== "waiting") announce(`${upload.file.name}: ${phase}${upload.phase === "uploading" ? "" : facts}`);
    upload.saidAt = Date.now();
    upload.saidPercent = 0;
  }
  set(row.querySelector(".becomes"), upload.becomes && !over ? `becomes build ${upload.becomes}` : "");
  set(row.querySelector(".phase"), phase);
  set(row.querySelector(".facts"), facts);
  const bar = row.querySelector(".progress");
  bar.setAttribute("aria-valuenow", upload.percent);
  bar.setAttribute("aria-valuetext", `${phase}${facts}`.replace(/ · .*\/s.*/, ""));
  row.querySelector(".fill").setAttribute("width", upload.percent * 10);
  row.querySelector(".cancel").hidden = over;
  row.querySelector(".dismiss").hidden = !over;
  row.querySelector(".retry").hidden = upload.phase !== "failed" || Boolean(upload.final);
  const step = upload.phase === "live" ? "ready" : upload.phase === "held" ? "waiting" : upload.phase;
  for (const item of row.querySelectorAll("[data-step]")) {
    if (item.dataset.step === step) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  sayMilestone(upload, phase, facts);
}

// Every quarter, or every half minute; not every percent.
function sayMilestone(upload, phase, facts) {
  if (upload.phase !== "uploading") return;
  const quarter = Math.floor(upload.percent / 25);
  if (quarter === upload.saidPercent && Date.now() - upload.saidAt < 30_000) return;
  if (upload.percent > 0) announce(`${upload.file.name}: ${phase}${facts}`);
  upload.saidPercent = quarter;
  upload.saidAt = Date.now();
}
