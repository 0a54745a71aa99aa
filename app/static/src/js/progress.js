// How far an upload is, and how fast. Neither bytes nor percent ever go back: what was under way when a part broke is
// sent again, and counts once it is further than before.
const WINDOW = 5000; // milliseconds over which the speed is measured
const MIN_WINDOW = 500;

export class Progress {
  sent = 0; // bytes
  percent = 0;
  rate = 0; // bytes a second; 0: not known

  /** Times (performance.now()), each with the bytes that had been moved by then. @type {[number, number][]} */
  #samples = [];

  /**
   * Bytes that have left are not stored yet: 100 percent are shown only when all of them are.
   * @param {number} sent   bytes that are stored or under way
   * @param {number} total  bytes
   */
  advance(sent, total) {
    this.sent = Math.max(this.sent, Math.min(sent, total));
    this.percent = Math.max(this.percent, Math.min(99, Math.floor((this.sent * 100) / total)));
  }

  /** @param {number} total  bytes, each of them stored */
  finish(total) {
    this.sent = total;
    this.percent = 100;
  }

  /**
   * @param {number} moved  bytes that have been moved in all, those that were sent again included
   * @param {number} now    performance.now()
   */
  measure(moved, now) {
    this.#samples = [...this.#samples.filter(([at]) => now - at < WINDOW), [now, moved]];
    const [[from, before]] = this.#samples;
    if (now - from > MIN_WINDOW) this.rate = Math.round(((moved - before) * 1000) / (now - from));
  }

  // The next measurement counts from zero.
  restart() {
    this.#samples = [];
  }
}
