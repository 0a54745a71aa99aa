// Images on their way, two at a time. Like uploads of builds they live as long as the document.
import { Refusal, send } from "./transport.js";

const AT_ONCE = 2;
const MOST_TRIES = 10;
let numbers = 0;

class Images extends EventTarget {
  list = [];
  held = false; // storage is unreachable: nothing starts

  // `game`: the dataset of its drop zone.
  add(file, game) {
    const image = { id: ++numbers, file, game, phase: "waiting", sent: 0, percent: 0, tries: 0, retryAt: 0 };
    this.list.push(image);
    if (file.size > Number(game.most)) Object.assign(image, { phase: "failed", final: true, title: `Larger than ${game.each}`, tooLarge: true });
    if (file.size === 0) Object.assign(image, { phase: "failed", final: true, title: "Empty", reason: "The file has no bytes. Export it again and choose it again." });
    this.changed(image); // tiles stand in this order
    return image;
  }

  remove(image) {
    image.controller?.abort();
    clearTimeout(image.timer);
    this.list = this.list.filter((other) => other !== image);
    this.changed(image);
    this.run();
  }

  retry(image) {
    clearTimeout(image.timer);
    Object.assign(image, { phase: "waiting", sent: 0, percent: 0, tries: 0, retryAt: 0, reason: "", title: "" });
    this.run();
  }

  hold(held) {
    if (this.held === held) return;
    this.held = held;
    this.run();
  }

  get running() {
    return this.list.filter((image) => ["waiting", "held", "uploading", "checking"].includes(image.phase));
  }

  run() {
    let busy = this.list.filter((image) => ["uploading", "checking"].includes(image.phase)).length;
    let ahead = busy;
    for (const image of this.list) {
      if (!["waiting", "held"].includes(image.phase) || image.retryAt) continue;
      if (busy < AT_ONCE && !this.held) {
        busy += 1;
        this.start(image);
      } else {
        image.phase = this.held ? "held" : "waiting";
        image.ahead = ahead;
      }
      ahead += 1;
    }
    this.changed(null);
  }

  async start(image) {
    Object.assign(image, { phase: "uploading", begunAt: performance.now(), sent: 0, percent: 0, controller: new AbortController() });
    this.changed(image);
    const { signal } = image.controller;
    try {
      image.key = await send(image, signal, { progress: (bytes) => this.progress(image, bytes), sent: () => this.checking(image) });
      Object.assign(image, { phase: "stored", percent: 100, storedAt: performance.now() });
    } catch (refusal) {
      if (signal.aborted) return;
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.wait && image.tries < MOST_TRIES) this.again(image, refusal);
      else Object.assign(image, { phase: "failed", title: refusal.wait ? "Stopped" : refusal.title, reason: refusal.message, final: refusal.final });
    }
    this.changed(image);
    this.run();
  }

  again(image, { wait, message }) {
    Object.assign(image, { phase: "held", tries: image.tries + 1, retryAt: Date.now() + wait * 1000, reason: message, mostTries: MOST_TRIES });
    image.timer = setTimeout(() => {
      Object.assign(image, { retryAt: 0, phase: "waiting" });
      this.run();
    }, wait * 1000);
  }

  progress(image, bytes) {
    image.sent = Math.max(image.sent, bytes);
    // Whole only with the answer.
    image.percent = Math.max(image.percent, Math.min(99, Math.floor((image.sent * 100) / image.file.size)));
    const seconds = (performance.now() - image.begunAt) / 1000;
    image.left = seconds > 0.5 ? Math.ceil((image.file.size - image.sent) / (image.sent / seconds)) : 0;
    this.changed(image);
  }

  checking(image) {
    image.phase = "checking";
    this.changed(image);
  }

  changed(image) {
    this.dispatchEvent(new CustomEvent("change", { detail: image }));
  }
}

export const images = new Images();
addEventListener("online", () => images.list.filter((image) => image.retryAt).forEach((image) => images.retry(image)));
