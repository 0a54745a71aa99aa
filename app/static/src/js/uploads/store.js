// The uploads of this window. They live as long as the document: boosted navigation does not touch them; after a reload
// they are found again by again.js.
import { discard, travel } from "./journey.js";
import * as memory from "./memory.js";
import { MOST_TRIES } from "./parts.js";

const MOST_AT_ONCE = 3; // of different games; those of one game go one after the other, as their builds are numbered
const DRAW_EVERY = 250; // milliseconds
const ENDED = new Set(["ready", "live", "failed", "stopped"]);
const FRESH = { phase: "waiting", sent: 0, percent: 0, rate: 0, samples: [] };
let numbers = 0;

class Uploads extends EventTarget {
  list = [];
  held = false; // storage is unreachable: nothing begins

  // `game`: {slug, title, to, detail, next}, or null while it has no name yet.
  add(file, game, release) {
    const upload = this.push({ file, name: file.name, size: file.size, release });
    if (game) Object.assign(upload, ofGame(game));
    this.run();
    return upload;
  }

  push(known) {
    const upload = { id: ++numbers, ...FRESH, ...known };
    this.list.push(upload);
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

  // --- what a reload left

  stopped(known) {
    this.changed(this.push({ ...known, phase: "stopped", file: null }));
  }

  // Every byte of it is there: only its check is waited for.
  follow(known) {
    this.start(this.push({ ...known, phase: "checking", sent: known.size, percent: 100 }));
  }

  wrong(upload, reason) {
    upload.wrong = reason;
    this.changed(upload);
  }

  goOn(upload, file) {
    Object.assign(upload, { file, wrong: "", phase: "waiting" });
    this.run();
  }

  // --- what its buttons do

  pause(upload) {
    upload.paused = !upload.paused;
    if (upload.paused) upload.parts?.pause();
    else upload.parts?.resume();
    this.moved(upload);
    this.run();
  }

  cancel(upload) {
    upload.cancelled = true;
    upload.parts?.cancel();
    upload.nudge?.();
    // One that has ended well, or with a verdict, is only put away.
    if (!["ready", "live"].includes(upload.phase) && !upload.final) discard(upload);
    this.remove(upload);
  }

  remove(upload) {
    this.list.splice(this.list.indexOf(upload), 1);
    this.changed(upload);
    this.run();
  }

  retry(upload) {
    Object.assign(upload, { phase: "waiting", reason: "", tries: 0, paused: false });
    if (!upload.key) Object.assign(upload, FRESH);
    this.run();
  }

  hold(held) {
    if (this.held === held) return;
    this.held = held;
    if (!held) this.nudge();
    this.run();
  }

  // Whatever waits for its next try has it now.
  nudge() {
    for (const upload of this.list) upload.parts?.retryAt ? upload.parts.nudge() : upload.nudge?.();
  }

  get running() {
    return this.list.filter((upload) => !ENDED.has(upload.phase));
  }

  // What leaving the page would stop.
  get sending() {
    return this.running.filter((upload) => upload.phase !== "checking");
  }

  run() {
    for (const [place, upload] of this.list.entries()) {
      if (upload.started || ENDED.has(upload.phase)) continue;
      const before = this.list.slice(0, place).filter((one) => !ENDED.has(one.phase) && !one.paused);
      upload.ahead = before.filter((one) => one.game === upload.game).length;
      const room = this.list.filter((one) => one.started && !one.paused).length < MOST_AT_ONCE;
      if (upload.to && !this.held && !upload.ahead && room) {
        this.start(upload);
        continue;
      }
      upload.phase = this.held ? "held" : "waiting";
      this.changed(upload);
    }
    this.changed(null);
  }

  async start(upload) {
    Object.assign(upload, { started: true, begunAt: Date.now(), cancelled: false });
    if (upload.phase !== "checking") upload.phase = "uploading";
    this.changed(upload);
    await travel(upload, () => this.moved(upload));
    upload.started = false;
    if (upload.cancelled) return;
    memory.unclaim(upload);
    this.changed(upload);
    this.run();
  }

  // Bytes left, or a wait began or ended.
  moved(upload) {
    const { parts } = upload;
    if (parts) {
      if (parts.waiting) Object.assign(upload, { tries: parts.tries, mostTries: MOST_TRIES, retryAt: parts.retryAt, why: parts.why });
      upload.phase = upload.paused ? "paused" : parts.waiting ? "held" : "uploading";
      this.count(upload, parts);
    }
    if (upload.phase === "held" && upload.heldUntil !== upload.retryAt) {
      upload.heldUntil = upload.retryAt; // once a wait
      this.dispatchEvent(new CustomEvent("storage"));
    }
    // Events come faster than anybody reads; the last one is drawn too.
    upload.drawing ??= setTimeout(() => {
      upload.drawing = null;
      if (this.list.includes(upload)) this.changed(upload);
    }, DRAW_EVERY);
  }

  // Neither goes back: what was under way when a part broke is sent again, and counted when it passes where it was.
  // What left is not what was stored: whole only when everything is.
  count(upload, parts) {
    const known = Math.floor(parts.stored.size * parts.partSize);
    upload.sent = Math.max(upload.sent, Math.min(parts.bytes, upload.size));
    upload.percent = Math.max(upload.percent, Math.min(99, Math.floor((upload.sent * 100) / upload.size)));
    if (upload.received !== known) memory.remember(Object.assign(upload, { received: Math.min(known, upload.size) }));
    const now = performance.now();
    upload.samples = [...upload.samples.filter(([at]) => now - at < 5000), [now, parts.moved]];
    const [[from, before]] = upload.samples;
    if (now - from > 500) upload.rate = Math.round(((parts.moved - before) * 1000) / (now - from));
  }

  changed(upload) {
    this.dispatchEvent(new CustomEvent("change", { detail: upload }));
  }
}

function ofGame(game) {
  return { game: game.slug, title: game.title, to: game.to, detail: game.detail, becomes: game.next };
}

export const uploads = new Uploads();
addEventListener("online", () => uploads.nudge());
