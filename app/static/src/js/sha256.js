// SHA-256 of a file. `crypto.subtle` does not exist on a LAN without https, and cannot take a file in pieces.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const SLICE = 256 * 1024; // bytes; about 2 ms of work

/**
 * SHA-256 of a file's first `size` bytes, as lowercase hex. Each slice is read in a task of its own, so that the page
 * answers its reader between two of them.
 * @param {Blob} file
 * @param {number} size
 */
export async function digestOf(file, size) {
  return bytesToHex(await sha256Of(file, size));
}

// Of a whole file, as the assets API takes it: `sha256-` and base64.
export async function checksumOf(file) {
  return `sha256-${btoa(String.fromCharCode(...(await sha256Of(file, file.size))))}`;
}

async function sha256Of(file, size) {
  const hash = sha256.create();
  const end = Math.min(size, file.size);
  for (let at = 0; at < end; at += SLICE) {
    hash.update(new Uint8Array(await file.slice(at, Math.min(at + SLICE, end)).arrayBuffer()));
  }
  return hash.digest();
}
