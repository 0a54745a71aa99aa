// The uploads of this window, and which of them goes next. They live as long as the document: boosted navigation does
// not touch them, and after a reload resume-stopped.js finds them again.
import { Listeners } from "../listeners.js";
import { MAX_TRIES } from "../retry-delay.js";
import { rememberRate } from "./part-size.js";
import { save } from "./saved-uploads.js";
import { discard, sendUpload, tellGame } from "./send-upload.js";
import { Upload } from "./upload.js";
import { unclaim } from "./window-claims.js";

/**
 * @typedef {import("./part-sender.js").PartSender} PartSender
 * @typedef {import("./upload.js").Game} Game
 * @typedef {import("./upload.js").UploadFacts} UploadFacts
 * @typedef {import("./upload.js").UploadState} UploadState
 */

const MAX_AT_ONCE = 3; // of different games; those of one game go one after another, as their builds are numbered
const DRAW_INTERVAL = 250; // milliseconds; events come faster than anybody reads

/**
 * @param {Upload} upload
 * @param {PartSender} parts
 * @returns {UploadState}
 */
function sendingState({ paused }, { waiting, tries, retryAt, cause }) {
  if (paused) return { name: "paused" };
  if (waiting) return { name: "held", retry: { tries, maxTries: MAX_TRIES, at: retryAt, cause } };
  return { name: "uploading" };
}

class UploadQueue {
  /** @type {Upload[]} */
  list = [];

  /** Storage is unreachable: nothing begins. */
  held = false;

  /** An upload has changed, been added or been removed; null: any of them may have. @type {Listeners<Upload | null>} */
  changes = new Listeners();

  /** An upload waits for its next try. @type {Listeners<void>} */
  waits = new Listeners();

  /** Uploads that are drawn soon. @type {Set<Upload>} */
  #drawn = new Set();

  /** The end of the last wait that was announced by `waits`. @type {WeakMap<Upload, number>} */
  #announced = new WeakMap();

  /**
   * @param {File} file
   * @param {Game} game
   * @param {boolean} release
   * @param {string} [version]
   */
  add(file, game, release, version) {
    this.#push({ file, name: file.name, size: file.size, release, version, game });
    this.run();
  }

  /**
   * A file whose game is not registered yet.
   * @param {File} file
   * @param {string} uploadsUrl  where such uploads begin
   */
  addWithoutGame(file, uploadsUrl) {
    this.#push({ file, name: file.name, size: file.size, game: null, uploadsUrl });
    this.run();
  }

  /**
   * A file that the server would refuse is not sent.
   * @param {File} file
   * @param {Game | null} game
   * @param {string} reason
   */
  reject(file, game, reason) {
    const facts = { file, name: file.name, size: file.size, game };
    this.changed(this.#push(facts, { name: "failed", reason, final: true }));
  }

  /**
   * @param {UploadFacts} facts
   * @param {UploadState} [state]
   */
  #push(facts, state) {
    const upload = new Upload(facts, state);
    this.list.push(upload);
    return upload;
  }

  /**
   * Its game is registered.
   * @param {Upload} upload
   * @param {Game} game
   */
  assign(upload, game) {
    upload.game = game;
    tellGame(upload);
    upload.transfer?.retryNow(); // if it waits for its game
    this.run();
  }

  /**
   * The upload of this file whose game is not registered yet; null if there is none.
   * @param {string | undefined} name
   */
  withoutGame(name) {
    return this.list.find((upload) => upload.name === name && !upload.game && !upload.decided) ?? null;
  }

  // --- what a reload left

  /**
   * @param {UploadFacts} facts
   * @param {{since: number, expiresAt: string | null}} times
   */
  addStopped(facts, times) {
    this.changed(this.#push(facts, { name: "stopped", ...times, problem: "" }));
  }

  /**
   * Every byte of it is stored: only its check is followed.
   * @param {UploadFacts} facts
   */
  addChecking(facts) {
    this.#start(this.#push(facts, { name: "checking", filesRead: 0, bytesRead: 0 }));
  }

  /**
   * Every byte of it is stored, but the server has not been told so: the file is not needed again.
   * @param {UploadFacts} facts
   */
  addSent(facts) {
    this.#start(this.#push(facts, { name: "sent" }));
  }

  /**
   * @param {Upload} upload
   * @param {string} problem  with the file that was chosen
   */
  refuseFile(upload, problem) {
    if (upload.state.name !== "stopped") return;
    upload.become({ ...upload.state, problem });
    this.changed(upload);
  }

  /**
   * @param {Upload} upload
   * @param {File} file
   */
  resume(upload, file) {
    upload.file = file;
    upload.waitAgain();
    this.run();
  }

  // --- what its buttons do

  /** @param {Upload} upload */
  togglePause(upload) {
    upload.paused = !upload.paused;
    if (upload.paused) upload.transfer?.parts?.pause();
    else upload.transfer?.parts?.resume();
    this.#moved(upload);
    this.run();
  }

  /**
   * Cancels it, or puts away one that has ended.
   * @param {Upload} upload
   */
  cancel(upload) {
    upload.transfer?.cancel();
    if (!upload.decided) discard(upload);
    this.remove(upload);
  }

  /** @param {Upload} upload */
  remove(upload) {
    this.list = this.list.filter((other) => other !== upload);
    this.changed(upload);
    this.run();
  }

  /** @param {Upload} upload */
  retry(upload) {
    upload.waitAgain();
    this.run();
  }

  // --- what goes next

  /** @param {boolean} held */
  hold(held) {
    if (this.held === held) return;
    this.held = held;
    if (!held) this.retryNow();
    this.run();
  }

  // Everything that waits for its next try is tried now.
  retryNow() {
    for (const { transfer } of this.list) transfer?.retryNow();
  }

  get running() {
    return this.list.filter((upload) => !upload.ended);
  }

  /** What leaving the page would stop, and failed uploads that can be tried again: only this page has their files. */
  get unsent() {
    const again = this.list.filter(({ state }) => state.name === "failed" && !state.final);
    return [...this.running.filter((upload) => !upload.is("checking")), ...again];
  }

  run() {
    for (const [place, upload] of this.list.entries()) {
      if (upload.transfer || upload.ended) continue;
      const before = this.list.slice(0, place).filter((one) => !one.ended && !one.paused);
      const ahead = upload.game ? before.filter((one) => one.game?.slug === upload.game?.slug).length : 0;
      const room = this.list.filter((one) => one.transfer && !one.paused).length < MAX_AT_ONCE;
      if (!this.held && !ahead && room) {
        this.#start(upload);
        continue;
      }
      upload.become(this.held ? { name: "held", retry: null } : { name: "waiting", ahead });
      this.changed(upload);
    }
    this.changed(null);
  }

  /** @param {Upload} upload */
  async #start(upload) {
    const transfer = upload.begin();
    this.changed(upload);
    await sendUpload(upload, transfer, () => this.#moved(upload));
    upload.transfer = null;
    if (transfer.cancelled) return;
    if (upload.id) unclaim(upload.id);
    this.changed(upload);
    this.run();
  }

  /**
   * Bytes have moved, or a wait began or ended.
   * @param {Upload} upload
   */
  #moved(upload) {
    const parts = upload.transfer?.parts;
    if (parts) {
      upload.become(sendingState(upload, parts));
      this.#measure(upload, parts);
    }
    const end = upload.state.name === "held" ? upload.state.retry?.at : undefined;
    if (end !== undefined && this.#announced.get(upload) !== end) {
      this.#announced.set(upload, end); // once per wait
      this.waits.call();
    }
    this.#drawSoon(upload);
  }

  /**
   * @param {Upload} upload
   * @param {PartSender} parts
   */
  #measure(upload, parts) {
    upload.progress.advance(parts.bytes, upload.size);
    upload.progress.measure(parts.moved, performance.now());
    const stored = Math.min(parts.stored.size * parts.partSize, upload.size);
    if (upload.stored === stored) return;
    upload.stored = stored;
    if (upload.progress.rate) rememberRate(upload.progress.rate);
    save(upload);
  }

  /** @param {Upload} upload */
  #drawSoon(upload) {
    if (this.#drawn.has(upload)) return;
    this.#drawn.add(upload);
    setTimeout(() => {
      this.#drawn.delete(upload);
      if (this.list.includes(upload)) this.changed(upload);
    }, DRAW_INTERVAL);
  }

  /** @param {Upload | null} upload */
  changed(upload) {
    this.changes.call(upload);
  }
}

export const uploads = new UploadQueue();
addEventListener("online", () => uploads.retryNow());
document.addEventListener("session-renewed", () => {
  // After the page has its new token.
  setTimeout(() => uploads.list.filter((upload) => upload.signedOut).forEach((upload) => uploads.retry(upload)));
});
