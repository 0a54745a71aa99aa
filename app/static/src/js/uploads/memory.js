// What outlives the page: which uploads of this browser are under way, by their id, and what is needed to know the file
// again. Never an address of storage. Windows tell each other which of them they are sending.
const HEARD_WITHIN = 300; // milliseconds in which another window answers

const channel = "BroadcastChannel" in window ? new BroadcastChannel("slipway-uploads") : null;
const member = () => document.getElementById("uploads")?.dataset.member;
const place = () => `slipway-uploads-${member()}`; // people who share a browser do not see each other's
const ours = new Set(); // ids this window sends
let answered = new Set();

export const news = new EventTarget(); // "taken": another window goes on with it; "left": it was closed

function entries() {
  try {
    return JSON.parse(localStorage.getItem(place())) ?? {};
  } catch {
    return {}; // no storage for this site, or not ours
  }
}

function write(change) {
  if (!member()) return;
  const known = entries();
  change(known);
  try {
    localStorage.setItem(place(), JSON.stringify(known));
  } catch {
    return; // full or forbidden: the upload then does not outlive its page
  }
}

const KEPT = ["key", "game", "title", "to", "detail", "becomes", "name", "size", "partSize", "head", "release", "received", "dropped"];

export function remember(upload) {
  if (!upload.key) return;
  const entry = Object.fromEntries(KEPT.map((name) => [name, upload[name]]));
  write((known) => (known[upload.key] = { ...entry, at: Date.now() }));
}

export function forget(upload) {
  ours.delete(upload.key);
  write((known) => delete known[upload.key]);
}

// This window sends it now.
export function claim(upload) {
  ours.add(upload.key);
  channel?.postMessage({ mine: [upload.key] });
  remember(upload);
}

export function unclaim(upload) {
  ours.delete(upload.key);
}

// Those that no window sends.
export async function abandoned() {
  const known = Object.values(entries()).filter((entry) => !ours.has(entry.key));
  if (!known.length) return [];
  answered = new Set();
  channel?.postMessage({ whose: known.map((entry) => entry.key) });
  if (channel) await new Promise((resolve) => setTimeout(resolve, HEARD_WITHIN));
  const still = entries();
  return known.filter((entry) => !answered.has(entry.key) && still[entry.key] && !ours.has(entry.key));
}

// Whether another window has said since the last look that it sends this one.
export const isTaken = (key) => answered.has(key);

channel?.addEventListener("message", ({ data }) => {
  const mine = data.whose?.filter((key) => ours.has(key)) ?? [];
  if (mine.length) channel.postMessage({ mine });
  for (const key of data.mine ?? []) {
    answered.add(key);
    news.dispatchEvent(new CustomEvent("taken", { detail: key }));
  }
  if (data.left) news.dispatchEvent(new CustomEvent("left"));
});

addEventListener("pagehide", () => ours.size && channel?.postMessage({ left: [...ours] }));
