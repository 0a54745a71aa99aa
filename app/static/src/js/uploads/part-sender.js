// Sends the bytes of one file to storage, a few parts at a time, and goes on by itself after a failure that passes.
import { MAX_DELAY, MAX_TRIES, retryDelay } from "../retry-delay.js";
import { StoragePut } from "../storage-put.js";
import { UploadRefusal } from "./upload-api.js";

const CONNECTIONS = 3; // of the six that a browser opens to one host; more were not faster
const AHEAD = 8; // parts whose addresses are asked for before they are needed
const MAX_SIGNED = 50; // addresses asked for in one call

/** @typedef {import("./upload-api.js").PartUrl} PartUrl */

/** Senders that share the connections. @type {Set<PartSender>} */
const active = new Set();

export class PartSender {
  /** Numbers of the parts that storage has. @type {Set<number>} */
  stored = new Set();

  /** @type {Map<number, string>} */
  urls = new Map();

  /** Parts under way. @type {Map<number, StoragePut>} */
  requests = new Map();

  /** Parts whose address was renewed once, because storage refused it. @type {Set<number>} */
  renewed = new Set();

  moved = 0; // bytes that have left, those that were sent again included
  tries = 0; // in a row, without a part that was stored
  retryAt = 0; // Date.now() of the next try, or 0
  timer = 0; // until then

  /** What the present wait is about. @type {UploadRefusal | null} */
  cause = null;

  paused = false;
  asking = false; // for addresses
  ended = false;

  /** @type {() => void} */
  #resolve = () => {};

  /** @type {(refusal: UploadRefusal) => void} */
  #reject = () => {};

  /**
   * @param {File} file
   * @param {number} partSize  bytes
   * @param {object} options
   * @param {{partNumber: number, size: number}[]} options.arrived  what storage has
   * @param {PartUrl[]} options.urls  the first addresses
   * @param {(numbers: number[]) => Promise<{urls: PartUrl[]}>} options.sign
   * @param {() => void} options.changed  called whenever bytes moved, or a wait began or ended
   */
  constructor(file, partSize, { arrived, urls, sign, changed }) {
    this.file = file;
    this.partSize = partSize;
    this.sign = sign;
    this.changed = changed;
    this.count = Math.ceil(file.size / partSize);
    for (const { partNumber, size } of arrived) if (size === this.sizeOf(partNumber)) this.stored.add(partNumber);
    this.keep(urls);
  }

  /**
   * Resolves when every part is stored. Rejects with an UploadRefusal when it cannot go on by itself.
   * @returns {Promise<void>}
   */
  send() {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      active.add(this);
      this.pump();
    });
  }

  /** Bytes that are stored or under way. */
  get bytes() {
    let sum = 0;
    for (const number of this.stored) sum += this.sizeOf(number);
    for (const request of this.requests.values()) sum += request.bytes;
    return sum;
  }

  get waiting() {
    return this.retryAt > 0 && !this.requests.size;
  }

  /** @param {number} number */
  sizeOf(number) {
    return Math.min(this.partSize, this.file.size - (number - 1) * this.partSize);
  }

  /**
   * The file itself where it is one part: the browser's network process then reads it from the disk, and gets a slice
   * through another process.
   * @param {number} number
   */
  bodyOf(number) {
    if (this.count === 1) return this.file;
    const start = (number - 1) * this.partSize;
    return this.file.slice(start, start + this.sizeOf(number));
  }

  pause() {
    this.paused = true;
    this.callBack();
    this.changed();
  }

  // After a pause. After a wait too, and then at once.
  resume() {
    this.paused = false;
    this.tries = 0;
    this.nudge();
  }

  nudge() {
    clearTimeout(this.timer);
    this.retryAt = 0;
    this.pump();
  }

  cancel() {
    this.end(new UploadRefusal("Cancelled"));
  }

  // --- inside

  /** @param {PartUrl[]} urls */
  keep(urls) {
    for (const { partNumber, url } of urls) this.urls.set(partNumber, url);
  }

  /**
   * The numbers of the first parts that are neither stored nor under way.
   * @param {number} max
   */
  missing(max) {
    const numbers = [];
    for (let number = 1; number <= this.count && numbers.length < max; number += 1) {
      if (!this.stored.has(number) && !this.requests.has(number)) numbers.push(number);
    }
    return numbers;
  }

  pump() {
    if (this.ended || this.paused || this.retryAt) return;
    if (this.stored.size === this.count) {
      this.end();
      return;
    }
    const room = Math.max(0, Math.max(1, Math.floor(CONNECTIONS / active.size)) - this.requests.size);
    const next = this.missing(room + AHEAD);
    for (const number of next.slice(0, room)) this.put(number);
    if (next.some((number) => !this.urls.has(number))) this.askForUrls();
    this.changed();
  }

  async askForUrls() {
    if (this.asking) return;
    this.asking = true;
    try {
      const numbers = this.missing(2 * MAX_SIGNED).filter((number) => !this.urls.has(number));
      this.keep((await this.sign(numbers.slice(0, MAX_SIGNED))).urls);
    } catch (error) {
      if (!(error instanceof UploadRefusal)) throw error;
      if (error.passes) this.putOff(error);
      else this.end(error);
    }
    this.asking = false;
    this.pump();
  }

  /** @param {number} number */
  put(number) {
    const url = this.urls.get(number);
    if (!url) return; // it is asked for
    const request = new StoragePut(url, this.bodyOf(number), {
      moved: (bytes) => {
        this.moved += bytes;
        this.changed();
      },
      answered: (answer) => {
        this.requests.delete(number);
        this.answered(number, answer);
      },
    });
    this.requests.set(number, request);
  }

  /**
   * @param {number} number
   * @param {XMLHttpRequest} answer
   */
  answered(number, answer) {
    const { status } = answer;
    if (status === 200) {
      this.stored.add(number);
      this.tries = 0;
      this.nudge();
      return;
    }
    this.urls.delete(number); // the next try has a fresh address, whatever the answer was
    if (status === 403 && !this.renewed.has(number)) {
      this.renewed.add(number); // the address was too old
      this.pump();
      return;
    }
    const refusal = refusalOf(answer);
    if (refusal.passes || status === 403) this.putOff(refusal);
    else this.end(refusal);
    if (status === 0) this.checkFile();
  }

  // A request also fails when the file itself cannot be read any more. Waiting does not help then.
  async checkFile() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      this.end(new UploadRefusal("The file was changed or moved while it was sent.", { status: 410 }));
    }
  }

  /** @param {UploadRefusal} cause */
  putOff(cause) {
    if (this.ended || this.paused || this.retryAt) return; // failures that come together are one failure
    if (navigator.onLine) this.tries += 1; // else it is not storage that fails, and the browser tells when it is over
    if (this.tries > MAX_TRIES || cause.wait > MAX_DELAY) {
      this.end(cause);
      return;
    }
    const wait = Math.max(cause.wait, retryDelay(Math.max(0, this.tries - 1))) * 1000;
    this.cause = cause;
    this.retryAt = Date.now() + wait;
    this.timer = setTimeout(() => this.nudge(), wait);
    this.changed();
  }

  // Ends what is under way, and any wait.
  callBack() {
    clearTimeout(this.timer);
    this.retryAt = 0;
    const requests = [...this.requests.values()];
    this.requests.clear();
    for (const request of requests) request.abort();
  }

  /** @param {UploadRefusal} [refusal] */
  end(refusal) {
    if (this.ended) return;
    this.ended = true;
    this.callBack();
    active.delete(this);
    if (refusal) this.#reject(refusal);
    else this.#resolve();
    for (const other of active) other.pump();
  }
}

/** @param {XMLHttpRequest} answer */
function refusalOf(answer) {
  // From all headers: asking for one that storage does not show to pages is an error in the console.
  const wait = Number(/^retry-after: *(\d+)/im.exec(answer.getAllResponseHeaders())?.[1] ?? 0);
  return new UploadRefusal(`Storage answered ${answer.status}.`, { status: answer.status, wait, storage: true });
}
