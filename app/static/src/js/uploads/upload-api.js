// What the page asks the app about an upload: the calls of docs/uploads.md, made with the session instead of a key
// (app/api/dashboard_calls.py). The bytes go straight to storage (part-sender.js).
import { callApi } from "../api-call.js";

const TIMEOUT = 60_000; // milliseconds; completing lists every part in storage

/**
 * An upload as the API answers it. Only what the page uses is named here; see docs/uploads.md.
 * @typedef {object} UploadAnswer
 * @property {string} id
 * @property {string | null} game     slug; null while it has none
 * @property {number} partSize  bytes
 * @property {"uploading" | "checking" | "done" | "failed"} phase
 * @property {number | null} receivedBytes  null where storage did not answer
 * @property {string | null} expiresAt      ISO 8601
 * @property {{partNumber: number, size: number}[]} parts  what has arrived
 * @property {{bytesRead: number, filesRead: number}} check
 * @property {string | null} reason   of a failed one
 * @property {number | null} build    the build that a done one became
 * @property {boolean | null} released
 * @property {boolean} unchanged      the newest build had the same bytes already
 * @property {PartUrl[]} [urls]       in the answer to begin()
 *
 * @typedef {{partNumber: number, url: string}} PartUrl
 */

/** A refusal: in the server's own words, or in ours if it could not be asked. */
export class UploadRefusal extends Error {
  /**
   * @param {string} message
   * @param {object} facts
   * @param {number} [facts.status]  HTTP status, 0 without an answer
   * @param {number} [facts.wait]    seconds after which the same may be accepted
   * @param {boolean} [facts.storage]  whether it is storage that failed
   */
  constructor(message, { status = 0, wait = 0, storage = false } = {}) {
    super(message);
    this.status = status;
    this.wait = wait;
    this.storage = storage || /storage/i.test(message);
  }

  /** Whether the same may work a little later. */
  get passes() {
    return [0, 408, 429].includes(this.status) || this.status >= 500;
  }
}

/**
 * @param {"GET" | "POST" | "DELETE"} method
 * @param {string} url
 * @param {object} [body]
 * @returns {Promise<any>}  the JSON answer; null without one
 */
async function call(method, url, body) {
  let reply;
  try {
    reply = await callApi(method, url, AbortSignal.timeout(TIMEOUT), body);
  } catch {
    throw new UploadRefusal("The connection broke.");
  }
  const { ok, status, retryAfter, answer } = reply;
  if (ok) return answer;
  throw new UploadRefusal(answer?.message ?? `The server answered ${status}.`, { status, wait: retryAfter });
}

/**
 * @param {string} uploadsUrl  of the game, or of uploads without one
 * @param {{fileName: string, size: number, release?: boolean, versionLabel?: string, partSize?: number}} body
 * @returns {Promise<UploadAnswer>}
 */
export const begin = (uploadsUrl, body) => call("POST", uploadsUrl, body);

/**
 * @param {string} url  of the upload, here and below
 * @returns {Promise<UploadAnswer>}
 */
export const read = (url) => call("GET", url);

/**
 * Addresses for parts.
 * @param {string} url
 * @param {number[]} partNumbers
 * @returns {Promise<{urls: PartUrl[]}>}
 */
export const sign = (url, partNumbers) => call("POST", `${url}/parts`, { partNumbers });

/**
 * Gives an upload that began without a game the game with this slug.
 * @param {string} url
 * @param {string} game
 * @returns {Promise<UploadAnswer>}
 */
export const give = (url, game) => call("POST", `${url}/game`, { game });

/**
 * @param {string} url
 * @returns {Promise<UploadAnswer>}
 */
export const complete = (url) => call("POST", `${url}/complete`);

/**
 * @param {string} url
 * @returns {Promise<null>}
 */
export const cancel = (url) => call("DELETE", url);
