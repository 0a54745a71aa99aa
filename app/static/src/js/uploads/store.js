// The uploads of this window, one after the other. They live as long as the document: boosted navigation does not end
// them, leaving the page does, and is warned of.
import { Refusal, send } from "./transport.js";

const MOST_TRIES = 10;
const ends = new Set(["ready", "live", "failed"]);
let numbers = 0;

class Uploads extends EventTarget {
  list = [];
  held = false; // storage is unreachable: nothing starts

  // `game`: {slug, title, to, reach, next}, or null while it has no name yet.
  add(file, game, release) {
    const upload = { id: ++numbers, file, release, phase: "waiting", sent: 0, percent: 0, rate: 0, tries: 0, mostTries: MOST_TRIES, samples: [] };
    if (game) Object.assign(upload, ofGame(game));
    this.list.push(upload);
    this.run();
    return upload;
  }

  assign(upload, game) {
    Object.assign(upload, ofGame(game));
    this.run();
  }

  fail(upload, reason) {
    Object.assign(upload, { phase: "failed", reason, final: true });
    this.changed(upload);
  }

  cancel(upload) {
    upload.cancelled = true;
    upload.transfer?.cancel();
    clearTimeout(upload.timer);
    this.list.splice(this.list.indexOf(upload), 1);
    this.changed(upload);
    this.run();
  }

  retry(upload) {
    Object.assign(upload, { phase: "waiting", sent: 0, percent: 0, rate: 0, samples: [], reason: "", tries: 0 });
    this.run();
  }

  hold(held) {
    if (this.held === held) return;
    this.held = held;
    this.run();
  }

  get running() {
    return this.list.filter((upload) => !ends.has(upload.phase));
  }

  run() {
    const busy = this.list.some((upload) => ["uploading", "checking"].includes(upload.phase));
    let ahead = busy ? 1 : 0;
    for (const upload of this.list) {
      if (!["waiting", "held"].includes(upload.phase) || upload.retryAt) continue;
      if (upload.to && !this.held && ahead === 0) {
        ahead += 1;
        this.start(upload);
        continue;
      }
      upload.phase = this.held ? "held" : "waiting";
      upload.ahead = ahead;
      ahead += 1;
      this.changed(upload);
    }
    this.changed(null);
  }

  async start(upload) {
    Object.assign(upload, { phase: "uploading", begunAt: Date.now(), sent: 0, percent: 0 });
    this.changed(upload);
    upload.transfer = send(upload, { progress: (bytes) => this.progress(upload, bytes), sent: () => this.sent(upload) });
    try {
      const answer = await upload.transfer.done;
      Object.assign(upload, answer, { phase: answer.released ? "live" : "ready", sent: upload.file.size, percent: 100 });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (upload.cancelled) return;
      if (refusal.wait && upload.tries < MOST_TRIES && refusal.wait < 120) this.again(upload, refusal);
      else Object.assign(upload, { phase: "failed", reason: refusal.message });
    }
    this.changed(upload);
    this.run();
  }

  again(upload, refusal) {
    const retryAt = Date.now() + refusal.wait * 1000;
    const why = /storage/i.test(refusal.message) ? "storage is unreachable" : "the server has no place for it yet";
    Object.assign(upload, { phase: "held", tries: upload.tries + 1, retryAt, why, sent: 0 });
    this.dispatchEvent(new CustomEvent("storage"));
    upload.timer = setTimeout(() => {
      upload.retryAt = 0;
      upload.phase = "waiting";
      this.run();
    }, refusal.wait * 1000);
  }

  progress(upload, bytes) {
    // The request is a little longer than the file, and what left is not what was stored: whole only with the answer.
    upload.sent = Math.max(upload.sent, Math.min(bytes, upload.file.size));
    upload.percent = Math.max(upload.percent, Math.min(99, Math.floor((upload.sent * 100) / upload.file.size)));
    const now = performance.now();
    upload.samples = [...upload.samples.filter(([at]) => now - at < 5000), [now, upload.sent]];
    const [[from, before]] = upload.samples;
    if (now - from > 500) upload.rate = Math.round(((upload.sent - before) * 1000) / (now - from));
    this.changed(upload);
  }

  sent(upload) {
    upload.phase = "checking";
    this.changed(upload);
  }

  changed(upload) {
    this.dispatchEvent(new CustomEvent("change", { detail: upload }));
  }
}

function ofGame(game) {
  return { game: game.slug, title: game.title, to: game.to, reach: game.reach, becomes: game.next };
}

export const uploads = new Uploads();
