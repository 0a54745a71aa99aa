// SHA-256 of a file. `crypto.subtle` does not exist on a LAN without https, and cannot take a file in pieces.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const SLICE = 256 * 1024; // bytes; about 2 ms of work

/**
 * SHA-256 of a file's first `size` bytes, as lowercase hex.
 * @param {Blob} file
 * @param {number} size
 */
export const digestOf = async (file, size) => bytesToHex(await hashOf(file, size));

/**
 * SHA-256 of a whole file, as the assets API takes it: `sha256-` and base64.
 * @param {Blob} file
 */
export const checksumOf = async (file) =>
  `sha256-${btoa(String.fromCharCode(...(await hashOf(file, file.size))))}`;

/**
 * The 32 bytes. Each slice is read in a task of its own, so that the page answers its reader between two of them.
 * @param {Blob} file
 * @param {number} size
 */
async function hashOf(file, size) {
  const hash = sha256.create();
  const end = Math.min(size, file.size);
  for (let at = 0; at < end; at += SLICE) {
    hash.update(new Uint8Array(await file.slice(at, Math.min(at + SLICE, end)).arrayBuffer()));
  }
  return hash.digest();
}
