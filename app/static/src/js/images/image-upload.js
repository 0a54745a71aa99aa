// One image on its way into a gallery: what it is, and the states that it goes through.
//
//     waiting <-> held ──> uploading ──> checking ──> stored
//
// Each of them may fail, and a failed image may wait again.
import { escapeInvisible } from "../invisible.js";
import { Progress } from "../progress.js";
import { Stateful } from "../stateful.js";

/**
 * The gallery that an image goes to: the data attributes of its drop zone.
 * @typedef {object} Gallery
 * @property {string} game     slug
 * @property {string} title    of the game
 * @property {string} page     address of the gallery
 * @property {string} presign  where an image is announced
 * @property {string} confirm  where its arrival is reported
 * @property {string} most     largest image, in bytes
 * @property {string} each     the same in words
 */

/**
 * `ahead` images go first.
 * @typedef {{name: "waiting", ahead: number}} Waiting
 *
 * Cannot go on now. With `retry` it tries again at that time (Date.now()). Without it storage is unreachable, and it
 * begins by itself.
 * @typedef {{name: "held", retry: {reason: string, at: number} | null}} Held
 *
 * @typedef {{name: "uploading"}} Uploading
 *
 * Every byte has left; the server looks at them.
 * @typedef {{name: "checking"}} Checking
 *
 * The gallery will show it itself, under `key`. `since` is performance.now().
 * @typedef {{name: "stored", key: string, since: number}} Stored
 *
 * `final`: the same file would fail again.
 * @typedef {{name: "failed", title: string, reason: string, final: boolean}} Failed
 *
 * @typedef {Waiting | Held | Uploading | Checking | Stored | Failed} ImageState
 */

/** @type {Record<ImageState["name"], ImageState["name"][]>} */
const NEXT = {
  waiting: ["waiting", "held", "uploading"],
  held: ["held", "waiting", "uploading"],
  uploading: ["checking", "held", "failed"],
  checking: ["stored", "held", "failed"],
  stored: [],
  failed: ["waiting"],
};

/** @type {ImageState} */
const WAITING = { name: "waiting", ahead: 0 };
let count = 0;

/** @extends {Stateful<ImageState>} */
export class ImageUpload extends Stateful {
  /** Of its tile in this page. */
  number = (count += 1);
  progress = new Progress();
  secondsLeft = 0; // 0: not known
  tries = 0; // in a row
  key = ""; // of the stored image, once it is announced

  /** Ends what is under way. @type {AbortController | null} */
  transfer = null;
  startedAt = 0; // performance.now()

  /**
   * @param {File} file
   * @param {Gallery} gallery
   * @param {ImageState} state
   */
  constructor(file, gallery, state = WAITING) {
    super(state, NEXT);
    this.file = file;
    this.gallery = gallery;
  }

  /** The file's name as people see it. */
  get shownName() {
    return escapeInvisible(this.file.name);
  }

  /** When it tries again by itself (Date.now()), or 0. */
  get retryAt() {
    return this.state.name === "held" ? (this.state.retry?.at ?? 0) : 0;
  }

  /** Whether the same file would fail again. */
  get rejected() {
    return this.state.name === "failed" && this.state.final;
  }

  /**
   * @override
   * @param {ImageState} state
   */
  become(state) {
    super.become(state);
    if (this.is("stored")) this.progress.finish(this.file.size);
  }

  begin() {
    this.transfer = new AbortController();
    this.startedAt = performance.now();
    this.progress = new Progress();
    this.secondsLeft = 0;
    this.key = "";
    this.become({ name: "uploading" });
    return this.transfer.signal;
  }

  /** @param {number} bytes  that have left */
  advance(bytes) {
    this.progress.advance(bytes, this.file.size);
    const seconds = (performance.now() - this.startedAt) / 1000;
    const { sent } = this.progress;
    this.secondsLeft = seconds > 0.5 && sent ? Math.ceil((this.file.size - sent) / (sent / seconds)) : 0;
  }

  waitAgain() {
    this.become(WAITING);
  }
}
