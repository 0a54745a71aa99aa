// Images on their way, two at a time. Like uploads of builds they live as long as the document.
import { size } from "../byte-sizes.js";
import { Listeners } from "../listeners.js";
import { MAX_TRIES } from "../retry-delay.js";
import { ImageRefusal, sendImage } from "./image-api.js";
import { ImageUpload } from "./image-upload.js";

/**
 * @typedef {import("./image-upload.js").Failed} Failed
 * @typedef {import("./image-upload.js").Gallery} Gallery
 */

const MAX_AT_ONCE = 2;

/**
 * What is wrong with a file before anything is sent.
 * @param {File} file
 * @param {Gallery} gallery
 * @returns {Failed | undefined}
 */
function problemWith(file, { most, each }) {
  if (file.size > Number(most)) {
    const reason = `It has ${size(file.size)}. Export it smaller and choose it again.`;
    return { name: "failed", title: `Larger than ${each}`, reason, final: true };
  }
  if (file.size > 0) return undefined;
  const reason = "Export it again and choose it again.";
  return { name: "failed", title: "Empty", reason, final: true };
}

class ImageQueue {
  /** @type {ImageUpload[]} */
  list = [];

  /** Storage is unreachable: nothing begins. */
  held = false;

  /** The name under which the page shows an image, or "". @type {(key: string) => string} */
  shownName = () => "";

  /**
   * An image has changed, been added or been removed; null: any of them may have.
   * @type {Listeners<ImageUpload | null>}
   */
  changes = new Listeners();

  /**
   * @param {File[]} files
   * @param {Gallery} gallery
   */
  add(files, gallery) {
    for (const file of files) {
      const image = new ImageUpload(file, gallery, problemWith(file, gallery));
      this.list.push(image);
      this.#changed(image); // tiles stand in this order
    }
    this.run();
  }

  /** @param {ImageUpload} image */
  remove(image) {
    image.transfer?.abort();
    this.list = this.list.filter((other) => other !== image);
    this.#changed(image);
    this.run();
  }

  /**
   * Tries a failed or held image again at once.
   * @param {ImageUpload} image
   */
  retry(image) {
    image.tries = 0;
    image.waitAgain();
    this.run();
  }

  /** @param {boolean} held */
  hold(held) {
    if (this.held === held) return;
    this.held = held;
    this.run();
  }

  get running() {
    return this.list.filter((image) => image.is("waiting", "held", "uploading", "checking"));
  }

  run() {
    const sending = this.list.filter((image) => image.is("uploading", "checking"));
    let ahead = sending.length;
    // One after another until they have keys, so that of two equal images it is the second that is already here.
    let isFree = !this.held && ahead < MAX_AT_ONCE && sending.every((image) => image.key);
    for (const image of this.list) {
      if (!image.is("waiting", "held") || image.retryAt) continue;
      if (isFree) {
        isFree = false;
        this.#start(image);
      } else image.become(this.held ? { name: "held", retry: null } : { name: "waiting", ahead });
      ahead += 1;
    }
    this.#changed(null);
  }

  /** @param {ImageUpload} image */
  async #start(image) {
    const signal = image.begin();
    this.#changed(image);
    const moved = (/** @type {number} */ bytes) => {
      image.advance(bytes);
      this.#changed(image);
    };
    const sent = () => {
      image.become({ name: "checking" });
      this.#changed(image);
    };
    const nameOf = (/** @type {string} */ key) => {
      const same = this.list.find((other) => other.key === key && !other.is("failed"));
      image.key = key;
      this.run();
      return this.shownName(key) || (same?.shownName ?? "");
    };
    try {
      const key = await sendImage(image, signal, { moved, sent, nameOf });
      image.become({ name: "stored", key, since: performance.now() });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ImageRefusal)) throw error;
      this.#refuse(image, error);
    }
    this.#changed(image);
    this.run();
  }

  /**
   * @param {ImageUpload} image
   * @param {ImageRefusal} refusal
   */
  #refuse(image, { title, message, wait, final }) {
    if (!wait || image.tries >= MAX_TRIES) {
      image.become({ name: "failed", title: wait ? "Stopped" : title, reason: message, final });
      return;
    }
    image.tries += 1;
    const retry = { reason: message, at: Date.now() + wait * 1000 };
    image.become({ name: "held", retry });
    setTimeout(() => {
      if (image.state.name !== "held" || image.state.retry !== retry) return; // it was tried again before
      image.waitAgain();
      this.run();
    }, wait * 1000);
  }

  /** @param {ImageUpload | null} image */
  #changed(image) {
    this.changes.call(image);
  }
}

export const images = new ImageQueue();
addEventListener("online", () => {
  for (const image of images.list.filter((one) => one.retryAt)) images.retry(image);
});
