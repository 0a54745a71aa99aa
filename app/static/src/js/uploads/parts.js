// How bytes get to storage: a few parts of the file at a time, each one PUT to an address that was signed for it. XHR,
// because only it tells how much of a request has left.
import { Refusal } from "./calls.js";

const AT_ONCE = 3; // of the six connections a browser opens to one host; more were not faster
const AHEAD = 8; // parts whose addresses are asked for before they are needed
const SIGNED = 50; // addresses asked for at once
const SILENCE = 60_000; // a request that moves nothing for so long is given up
export const MOST_TRIES = 10;

// Seconds before the next try: 1, 2, 4 … 60, and not all at the same moment.
export const backOff = (tries) => Math.min(60, 2 ** tries) * (0.75 + Math.random() / 2);

const active = new Set(); // those who share the connections

export class Parts {
  // `arrived` and `urls` as the answer to a begun upload has them; `sign(numbers)` answers {urls}; `told()` is called
  // whenever something moved or changed.
  constructor(file, partSize, { arrived = [], urls = [], sign, told }) {
    Object.assign(this, { file, partSize, sign, told });
    this.count = Math.ceil(file.size / partSize);
    this.stored = new Set(arrived.filter((part) => part.size === this.sizeOf(part.partNumber)).map((part) => part.partNumber));
    this.urls = new Map();
    this.note(urls);
    this.flights = new Map(); // number -> {request, bytes, timer}
    this.refused = new Set(); // whose address was renewed once because storage did not take it
    this.moved = 0; // bytes that have left, those sent again too: what the speed is made of
    this.tries = 0; // in a row, without a part that was stored
    this.retryAt = 0;
    this.why = null; // what the present wait is about
    this.paused = false;
  }

  // Resolves when every part is stored; rejected with a Refusal when it cannot go on by itself.
  send() {
    return new Promise((resolve, reject) => {
      Object.assign(this, { resolve, reject });
      active.add(this);
      this.pump();
    });
  }

  get bytes() {
    let sum = 0;
    for (const number of this.stored) sum += this.sizeOf(number);
    for (const flight of this.flights.values()) sum += flight.bytes;
    return sum;
  }

  get waiting() {
    return this.retryAt > 0 && !this.flights.size;
  }

  sizeOf(number) {
    return Math.min(this.partSize, this.file.size - (number - 1) * this.partSize);
  }

  pause() {
    this.paused = true;
    this.land();
    this.told();
  }

  // Go on after a pause, or at once instead of after a wait.
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
    this.end(new Refusal("Cancelled"));
  }

  // --- inside

  note(urls) {
    for (const { partNumber, url } of urls) this.urls.set(partNumber, url);
  }

  *missing() {
    for (let number = 1; number <= this.count; number += 1) {
      if (!this.stored.has(number) && !this.flights.has(number)) yield number;
    }
  }

  pump() {
    if (this.ended || this.paused || this.retryAt) return;
    if (this.stored.size === this.count) return this.end();
    const room = Math.max(1, Math.floor(AT_ONCE / active.size)) - this.flights.size;
    const next = [...take(this.missing(), Math.max(0, room) + AHEAD)];
    for (const number of next.slice(0, Math.max(0, room))) if (this.urls.has(number)) this.put(number);
    if (next.some((number) => !this.urls.has(number))) this.ask();
    this.told();
  }

  async ask() {
    if (this.asking) return;
    this.asking = true;
    try {
      const numbers = [...take(this.missing(), 2 * SIGNED)].filter((number) => !this.urls.has(number)).slice(0, SIGNED);
      this.note((await this.sign(numbers)).urls);
    } catch (refusal) {
      if (refusal.passes) this.putOff(refusal);
      else this.end(refusal);
    }
    this.asking = false;
    this.pump();
  }

  put(number) {
    const start = (number - 1) * this.partSize;
    const request = new XMLHttpRequest();
    const flight = { request, bytes: 0, timer: 0 };
    const listen = () => {
      clearTimeout(flight.timer);
      flight.timer = setTimeout(() => request.abort(), SILENCE);
    };
    this.flights.set(number, flight);
    request.open("PUT", this.urls.get(number));
    request.upload.onprogress = ({ loaded }) => {
      this.moved += loaded - flight.bytes;
      flight.bytes = loaded;
      listen();
      this.told();
    };
    request.onloadend = () => {
      clearTimeout(flight.timer);
      if (this.flights.get(number) !== flight) return; // it was called back
      this.flights.delete(number);
      this.answered(number, request);
    };
    listen();
    request.send(this.file.slice(start, start + this.sizeOf(number)));
  }

  answered(number, request) {
    const { status } = request;
    if (status === 200) {
      this.stored.add(number);
      this.tries = 0;
      return this.retryAt ? this.nudge() : this.pump();
    }
    this.urls.delete(number); // whatever it was, the next try has a fresh address
    if (status === 403 && !this.refused.has(number)) {
      this.refused.add(number); // its time was up
      return this.pump();
    }
    // Asking for one header that storage does not show to pages would be an error in the console.
    const wait = Number(/^retry-after: *(\d+)/im.exec(request.getAllResponseHeaders())?.[1] ?? 0);
    const why = new Refusal(`Storage answered ${status}.`, { status, wait, storage: true });
    if (why.passes || status === 403) this.putOff(why);
    else this.end(why);
    if (status === 0) this.look();
  }

  // A request also fails when the file itself cannot be read any more. Waiting does not help that.
  async look() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      this.end(new Refusal("The file was changed or moved while it was sent.", { status: 410 }));
    }
  }

  putOff(why) {
    if (this.ended || this.paused || this.retryAt) return; // one wave of failures is one failure
    if (navigator.onLine) this.tries += 1; // else it is not storage's fault, and the browser says when it is over
    if (this.tries > MOST_TRIES || why.wait > 120) return this.end(why);
    const wait = Math.max(why.wait, backOff(Math.max(0, this.tries - 1))) * 1000;
    this.why = why;
    this.retryAt = Date.now() + wait;
    this.timer = setTimeout(() => this.nudge(), wait);
    this.told();
  }

  // Call back what is under way.
  land() {
    clearTimeout(this.timer);
    this.retryAt = 0;
    const flights = [...this.flights.values()];
    this.flights.clear();
    for (const { request, timer } of flights) {
      clearTimeout(timer);
      request.abort();
    }
  }

  end(refusal) {
    if (this.ended) return;
    this.ended = true;
    this.land();
    active.delete(this);
    if (refusal) this.reject(refusal);
    else this.resolve();
    for (const other of active) other.pump();
  }
}

function* take(numbers, most) {
  let left = most;
  if (left <= 0) return;
  for (const number of numbers) {
    yield number;
    left -= 1;
    if (!left) return;
  }
}
