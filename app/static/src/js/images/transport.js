// How an image gets in, with the calls of docs/assets.md and the session instead of a key: announced to the app, put
// straight into storage, and said to be there. The app then checks the bytes that arrived; what it refuses, it says why.
import { checksumOf } from "../sha256.js";

const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";
const MAGIC = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

// `wait`: the same would be taken later, after so many seconds. `final`: the same file never.
export class Refusal extends Error {
  constructor(title, message, { wait = 0, final = false } = {}) {
    super(message);
    this.title = title;
    this.wait = wait;
    this.final = final;
  }
}

// What the bytes are, whatever the file is called.
export function typeOf(bytes) {
  const is = (magic, at = 0) => magic.every((byte, place) => bytes[at + place] === byte);
  if (is([0x52, 0x49, 0x46, 0x46]) && is([0x57, 0x45, 0x42, 0x50], 8)) return "image/webp";
  return MAGIC.find(([, magic]) => is(magic))?.[0] ?? "";
}

async function ask(url, body, signal) {
  let response;
  let answer;
  try {
    const headers = { "X-CSRFToken": csrf(), "Content-Type": "application/json" };
    response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal });
    answer = response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : null;
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refusal("Held", "The server cannot be reached", { wait: 5 });
  }
  if (response.ok) return answer;
  const { status } = response;
  const told = answer?.error.message ?? `The server answered ${status}.`;
  if (status === 401) throw new Refusal("Signed out", "Sign in again, then try this one again.");
  if ([429, 502, 503].includes(status)) throw new Refusal("Held", told, { wait: Number(response.headers.get("Retry-After")) || 5 });
  throw new Refusal("Not taken", told, { final: status === 400 });
}

function put(url, file, type, signal, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // the only request of a browser that tells how much of it has left
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", type);
    request.upload.onprogress = (event) => progress(Math.min(event.loaded, file.size));
    request.onload = () => {
      if (request.status === 200) return resolve();
      const wait = request.status >= 500 ? 5 : 0;
      reject(new Refusal(wait ? "Held" : "Not stored", wait ? "storage is unreachable" : "The address to upload to is not good any more. Try again.", { wait }));
    };
    request.onerror = () => reject(new Refusal("Held", "storage is unreachable", { wait: 5 }));
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

// Resolves with the key under which the image is kept.
export async function send({ file, game }, signal, { progress, sent }) {
  let type;
  let checksum;
  try {
    type = typeOf(new Uint8Array(await file.slice(0, 12).arrayBuffer()));
    if (type) checksum = await checksumOf(file);
  } catch {
    throw new Refusal("Cannot be read", "The file was moved or changed. Choose it again.", { final: true });
  }
  if (!type) throw new Refusal("Not an image", "It is none of PNG, JPEG, WebP and GIF. Export it as one of these.", { final: true });
  const announced = { fileName: file.name.slice(0, 256), contentType: type, byteSize: file.size, checksum };
  const { signedUrl, key, publicUrl, contentType } = await ask(game.presign, announced, signal);
  await put(signedUrl, file, contentType, signal, progress);
  sent();
  await ask(game.confirm, { key, publicUrl, byteSize: file.size, contentType }, signal);
  return key;
}
