// How an image gets in, with the calls of docs/assets.md and the session instead of a key: announced to the app, put
// straight into storage, and confirmed. The app then checks the bytes that arrived.
import { callApi } from "../api-call.js";
import { checksumOf } from "../sha256.js";
import { StoragePut } from "../storage-put.js";

/** @typedef {import("./image-upload.js").ImageUpload} ImageUpload */

/**
 * The answer to an announcement.
 * @typedef {{signedUrl: string, key: string, publicUrl: string, contentType: string}} Presigned
 */

const RETRY_WAIT = 5; // seconds, where the server names no time
const MAX_NAME = 256;

/** Types by the first bytes of a file. @type {[type: string, begins: RegExp][]} */
const MAGIC = [
  ["png", /^\x89PNG/],
  ["jpeg", /^\xff\xd8/],
  ["gif", /^GIF8/],
  ["webp", /^RIFF.{4}WEBP/s],
];

export class ImageRefusal extends Error {
  /**
   * @param {string} title
   * @param {string} message
   * @param {object} facts
   * @param {number} [facts.wait]    seconds after which the same may be accepted; 0: it would not be
   * @param {boolean} [facts.final]  whether the same file would be refused again
   */
  constructor(title, message, { wait = 0, final = false } = {}) {
    super(message);
    this.title = title;
    this.wait = wait;
    this.final = final;
  }
}

/**
 * What the bytes are, whatever the file is called; "" for anything else. HEIC and AVIF are named by their brand: the
 * server rejects them and says what to do.
 * @param {Uint8Array} bytes  the first 12
 */
function typeOf(bytes) {
  const head = String.fromCharCode(...bytes);
  const type = MAGIC.find(([, begins]) => begins.test(head))?.[0] ?? /^.{4}ftyp(.{4})/s.exec(head)?.[1];
  return type ? `image/${type}` : "";
}

/**
 * @param {string} url
 * @param {object} body
 * @param {AbortSignal} signal
 * @returns {Promise<any>}  the JSON answer
 */
async function call(url, body, signal) {
  let reply;
  try {
    reply = await callApi("POST", url, signal, body);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ImageRefusal("Held", "the server does not answer", { wait: RETRY_WAIT });
  }
  const { ok, status, retryAfter, answer } = reply;
  if (ok) return answer;
  const message = answer?.error.message ?? `The server answered ${status}.`;
  if (status === 401) throw new ImageRefusal("Signed out", "Sign in again. Try again.");
  if ([429, 502, 503].includes(status)) throw new ImageRefusal("Held", message, { wait: retryAfter || RETRY_WAIT });
  throw new ImageRefusal("Rejected", message, { final: status === 400 });
}

/**
 * Puts the bytes into storage.
 * @param {string} url
 * @param {File} file
 * @param {string} type
 * @param {AbortSignal} signal
 * @param {(bytes: number) => void} moved  called with the bytes that have left
 * @returns {Promise<void>}
 */
function put(url, file, type, signal, moved) {
  return new Promise((resolve, reject) => {
    const answered = (/** @type {{status: number}} */ { status }) => {
      if (status === 200) resolve();
      else if (status === 0 || status >= 500) {
        reject(new ImageRefusal("Held", "storage is unreachable", { wait: RETRY_WAIT }));
      } else reject(new ImageRefusal("Not stored", "The address has expired. Try again."));
    };
    const request = new StoragePut(url, file, { type, moved: () => moved(request.bytes), answered });
    signal.addEventListener("abort", () => {
      request.abort();
      reject(signal.reason);
    });
  });
}

/**
 * The type and checksum of a file. Throws an ImageRefusal if it is no image.
 * @param {File} file
 */
async function read(file) {
  let contentType = "";
  let checksum = "";
  try {
    contentType = typeOf(new Uint8Array(await file.slice(0, 12).arrayBuffer()));
    if (contentType) checksum = await checksumOf(file);
  } catch {
    throw new ImageRefusal("Cannot be read", "Export it again and choose it again.", { final: true });
  }
  if (contentType) return { contentType, checksum };
  throw new ImageRefusal("Not an image", "Export it as PNG or JPEG.", { final: true });
}

/**
 * Resolves with the key under which the image is stored. Throws an ImageRefusal, or the signal's reason.
 * @param {ImageUpload} image
 * @param {AbortSignal} signal
 * @param {object} callbacks
 * @param {(bytes: number) => void} callbacks.moved  called with the bytes that have left
 * @param {() => void} callbacks.sent  called when all have
 * @param {(key: string) => string} callbacks.nameOf  the name under which this gallery has the image, or another upload
 *   sends it; else ""
 * @returns {Promise<string>}
 */
export async function sendImage({ file, gallery }, signal, { moved, sent, nameOf }) {
  const byteSize = file.size;
  const announced = { fileName: file.name.slice(0, MAX_NAME), byteSize, ...(await read(file)) };
  /** @type {Presigned} */
  const { signedUrl, key, publicUrl, contentType } = await call(gallery.presign, announced, signal);
  const known = nameOf(key);
  if (known) throw new ImageRefusal("Already here", `The gallery has it as ${known}.`, { final: true });
  await put(signedUrl, file, contentType, signal, moved);
  sent();
  await call(gallery.confirm, { key, publicUrl, byteSize, contentType }, signal);
  return key;
}
