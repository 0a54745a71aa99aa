// Uploads that a reload, a crash or a closed window stopped: shown as they stand in storage, and gone on with when their
// file is chosen again.
import * as calls from "./calls.js";
import { digestOf } from "../sha256.js";
import { discard } from "./journey.js";
import * as memory from "./memory.js";
import { uploads } from "./store.js";
import htmx from "../htmx-setup.js";
import { exact, size } from "./words.js";

let restored = null; // whose
let choosing = null;

async function restore() {
  for (const entry of await memory.abandoned()) {
    if (uploads.list.some((upload) => upload.key === entry.key)) continue;
    if (entry.dropped) discard(entry);
    else await show(entry);
  }
}

async function show(entry) {
  let state;
  try {
    state = await calls.read(entry);
  } catch (refusal) {
    if (refusal.status === 404) memory.forget(entry); // expired, or cancelled elsewhere
    if (!refusal.passes) return;
  }
  if (state && state.phase !== "uploading") return uploads.follow(entry);
  if (memory.isTaken(entry.key)) return; // the other window was slow to say so
  const received = state?.receivedBytes ?? entry.received ?? 0;
  uploads.stopped({ ...entry, expiresAt: state?.expiresAt, sent: received, percent: Math.floor((received * 100) / entry.size) });
}

htmx.onLoad(() => {
  const member = document.getElementById("uploads")?.dataset.member;
  if (!member || member === restored) return;
  restored = member;
  restore();
});

memory.news.addEventListener("left", () => setTimeout(restore, 1000));
memory.news.addEventListener("taken", ({ detail }) => {
  const upload = uploads.list.find((one) => one.key === detail && one.phase === "stopped");
  if (upload) uploads.remove(upload);
});

// --- the file again

// What is wrong with this file for that upload, or "".
async function strange(file, upload) {
  const rest = `Choose ${upload.name}, or discard the stopped upload.`;
  if (file.size !== upload.size) {
    const [one, other] = size(file.size) === size(upload.size) ? [exact(file.size), exact(upload.size)] : [size(file.size), size(upload.size)];
    return `This is another file: it has ${one}, the stopped one ${other}. ${rest}`;
  }
  if (file.name !== upload.name) return `This is another file: it is called ${file.name}. ${rest}`;
  if (!upload.head) return "";
  try {
    return (await digestOf(file, upload.partSize)) === upload.head ? "" : `This is another file: it begins with other bytes. ${rest}`;
  } catch {
    return `${file.name} cannot be read. ${rest}`;
  }
}

// The stopped upload of this game that a dropped file belongs to.
export async function stoppedFor(file, game) {
  for (const upload of uploads.list) {
    const alike = upload.phase === "stopped" && upload.game === game && upload.name === file.name && upload.size === file.size;
    if (alike && !(await strange(file, upload))) return upload;
  }
  return null;
}

export function chooseAgain(upload) {
  choosing = upload;
  document.getElementById("again-file").click();
}

document.addEventListener("change", async ({ target }) => {
  if (target.id !== "again-file" || !target.files.length) return;
  const [file] = target.files;
  const upload = choosing;
  target.value = ""; // the same file may be chosen again
  const wrong = await strange(file, upload);
  if (upload.phase !== "stopped") return;
  if (wrong) uploads.wrong(upload, wrong);
  else uploads.goOn(upload, file);
});
