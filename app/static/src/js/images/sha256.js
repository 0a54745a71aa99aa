// SHA-256 (FIPS 180-4) of bytes, as hex. Browsers have crypto.subtle on https and localhost only; on a plain-http LAN
// this does it: about 100 MB a second.
const K = new Uint32Array(64);
const START = new Uint32Array(8);

// The first 32 bits of the fractions of the roots of the first primes.
(function fill() {
  const fraction = (value) => ((value - Math.floor(value)) * 2 ** 32) >>> 0;
  let count = 0;
  for (let number = 2; count < 64; number++) {
    let prime = true;
    for (let other = 2; other * other <= number; other++) if (number % other === 0) prime = false;
    if (!prime) continue;
    if (count < 8) START[count] = fraction(Math.sqrt(number));
    K[count] = fraction(Math.cbrt(number));
    count += 1;
  }
})();

const turn = (word, by) => (word >>> by) | (word << (32 - by));

function block(state, words) {
  for (let i = 16; i < 64; i++) {
    const a = words[i - 15];
    const b = words[i - 2];
    words[i] = (words[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + words[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10))) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + words[i]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, place) => (state[place] += word));
}

// The same without crypto.subtle.
export function digest(bytes) {
  const whole = bytes.length >>> 6;
  const tail = new Uint8Array(bytes.length - whole * 64 < 56 ? 64 : 128);
  tail.set(bytes.subarray(whole * 64));
  tail[bytes.length - whole * 64] = 0x80;
  const end = new DataView(tail.buffer);
  end.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
  end.setUint32(tail.length - 4, bytes.length << 3);
  const state = START.slice();
  const words = new Int32Array(64);
  const read = (view, at) => {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + i * 4);
    block(state, words);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < whole * 64; at += 64) read(view, at);
  for (let at = 0; at < tail.length; at += 64) read(end, at);
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return digest(bytes);
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...found].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
