// A file comes to a game: dropped anywhere on one of its pages, or chosen. On the page of a partner without games it
// waits in the tray until its game has a name.
import { announce } from "../frame/announcements.js";
import htmx from "../htmx-setup.js";
import { stoppedFor } from "./again.js";
import { uploads } from "./store.js";
import { size } from "./words.js";

const sends = () => document.getElementById("sends")?.dataset;
const zone = () => document.getElementById("drop");
let depth = 0; // dragenter and dragleave come for every element on the way

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

function nextBuild(game) {
  const builds = [...document.querySelectorAll("#builds tr[id^=b]")].map((row) => Number(row.id.slice(1)) || 0);
  const before = uploads.running.filter((upload) => upload.game === game.game).length;
  return Math.max(Number(game.next), Math.max(0, ...builds) + 1) + before;
}

function gameOf(data) {
  return { slug: data.game, title: data.title, to: data.to, detail: data.detail, next: nextBuild(data) };
}

async function take(files) {
  const data = sends();
  if (!data) return;
  const release = document.getElementById("drop-release")?.checked ?? data.release === "1";
  for (const file of files) {
    const stopped = await stoppedFor(file, data.game);
    if (stopped) {
      uploads.goOn(stopped, file);
      continue;
    }
    const upload = uploads.add(file, null, release);
    const wrong = problem(file, data);
    if (wrong) {
      upload.game = data.game;
      uploads.fail(upload, wrong);
    } else if (data.game) uploads.assign(upload, gameOf(data));
    else nameIt(file);
  }
}

// What the server would refuse is not sent. It says the same.
function problem(file, data) {
  if (!/\.(tar\.gz|tgz)$/i.test(file.name)) return "It is not a .tar.gz. Package the game’s folder with GNU tar, then choose that file.";
  if (file.size > Number(data.most)) return `It has ${size(file.size)}, and at most ${data.packed} are taken. Make it smaller, or ask the operator to raise the limit.`;
  if (file.size === 0) return "It is empty. Package the game’s folder again.";
  return "";
}

function nameIt(file) {
  const title = file.name.replace(/\.(tar\.gz|tgz)$/i, "").replace(/[-_]v?\d[\d.]*\w*$/, "").replace(/[-_]+/g, " ").trim();
  const address = `${sends().register}?title=${encodeURIComponent(title.replace(/\b\p{L}/gu, (letter) => letter.toUpperCase()))}`;
  const link = Object.assign(document.createElement("a"), { href: address });
  document.getElementById("main").append(link);
  htmx.process(link);
  link.click();
}

// --- the page takes the file

function over(event) {
  const box = zone();
  if (!box) return;
  box.classList.add("over");
  const heading = box.querySelector("[data-over]");
  heading.textContent = heading.dataset.over;
  const names = event.dataTransfer.items.length > 1 ? `${event.dataTransfer.items.length} files become builds` : `It becomes build ${nextBuild(sends())}`;
  const text = box.querySelector(".say-over");
  if (text) text.textContent = sends().game ? `${names} of ${sends().title}.` : "You name its game on the next screen.";
}

function rest() {
  depth = 0;
  const box = zone();
  if (!box) return;
  box.classList.remove("over");
  const heading = box.querySelector("[data-over]");
  heading.textContent = heading.dataset.rest;
}

document.addEventListener("dragenter", (event) => {
  if (!hasFiles(event) || !sends()) return;
  event.preventDefault();
  depth += 1;
  if (depth === 1) over(event);
});
document.addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  // Without this the browser would leave the page for the file, also where it is not taken.
  event.preventDefault();
  event.dataTransfer.dropEffect = sends() ? "copy" : "none";
});
document.addEventListener("dragleave", (event) => {
  if (!hasFiles(event) || !sends()) return;
  depth -= 1;
  if (depth <= 0) rest();
});
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  rest();
  take([...event.dataTransfer.files]);
});

// --- and so does the button

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-chooses]");
  if (button) document.getElementById(button.dataset.chooses).click();
  const curl = event.target.closest?.(".use-curl");
  if (curl) curl.setAttribute("aria-expanded", String(curl.getAttribute("aria-expanded") !== "true"));
});
document.addEventListener("change", ({ target }) => {
  if (target.id !== "drop-file") return;
  take([...target.files]);
  target.value = ""; // the same file may be chosen again
});

// --- a game that was registered for a waiting file

document.addEventListener("htmx:afterSettle", () => {
  const waiting = uploads.list.filter((upload) => !upload.game && !upload.to && upload.phase !== "failed");
  const data = sends();
  if (!waiting.length || !data?.game || !document.querySelector("#toasts .toast")) return;
  if (data.fresh !== "1") return;
  waiting.forEach((upload) => uploads.assign(upload, gameOf(data)));
  announce(`${waiting[0].name} is sent to ${data.title}`);
});
