// Reads a ThumbHash (evanw.github.io/thumbhash), written from the description of the format: about 25 bytes that hold
// an image as a few cosine waves of lightness (l), two colour differences (p: yellow and blue, q: red and green) and,
// for a transparent image, opacity (a).

/**
 * @typedef {object} Channel
 * @property {number} mean
 * @property {number} wavesX  how many waves are kept along x, and along y below
 * @property {number} wavesY
 * @property {number[]} factors  of the waves, row by row
 *
 * @typedef {{l: Channel, p: Channel, q: Channel, a: Channel | null}} Waves
 */

/** @param {string} base64 */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/**
 * @param {Uint8Array} hash
 * @returns {Waves}
 */
function read(hash) {
  const head = hash[0] | (hash[1] << 8) | (hash[2] << 16);
  const tail = hash[3] | (hash[4] << 8);
  const transparent = Boolean(head >> 23);
  const landscape = Boolean(tail >> 15);
  const max = transparent ? 5 : 7;
  const start = transparent ? 6 : 5;
  let nibble = 0;

  const channel = (
    /** @type {number} */ mean,
    /** @type {number} */ scale,
    /** @type {number} */ wavesX,
    /** @type {number} */ wavesY,
  ) => {
    const factors = [];
    for (let y = 0; y < wavesY; y++) {
      for (let x = y ? 0 : 1; x * wavesY < wavesX * (wavesY - y); x++) {
        const bits = (hash[start + (nibble >> 1)] >> ((nibble & 1) << 2)) & 15;
        factors.push((bits / 7.5 - 1) * scale);
        nibble += 1;
      }
    }
    return { mean, wavesX, wavesY, factors };
  };

  const [wavesX, wavesY] = [landscape ? max : tail & 7, landscape ? tail & 7 : max].map((waves) => Math.max(3, waves));
  return {
    l: channel((head & 63) / 63, ((head >> 18) & 31) / 31, wavesX, wavesY),
    // Colours are made a little stronger than they were before they were rounded.
    p: channel(((head >> 6) & 63) / 31.5 - 1, (((tail >> 3) & 63) / 63) * 1.25, 3, 3),
    q: channel(((head >> 12) & 63) / 31.5 - 1, (((tail >> 9) & 63) / 63) * 1.25, 3, 3),
    a: transparent ? channel((hash[5] & 15) / 15, (hash[5] >> 4) / 15, 5, 5) : null,
  };
}

/**
 * The value of a channel at one point.
 * @param {Channel} channel
 * @param {number[]} alongX  the cosines of the point
 * @param {number[]} alongY
 */
function valueAt({ mean, wavesX, wavesY, factors }, alongX, alongY) {
  let value = mean;
  let place = 0;
  for (let y = 0; y < wavesY; y++) {
    const twice = alongY[y] * 2;
    for (let x = y ? 0 : 1; x * wavesY < wavesX * (wavesY - y); x++, place++) {
      value += factors[place] * alongX[x] * twice;
    }
  }
  return value;
}

/**
 * @param {number} size  pixels along this side
 * @param {number} at    one of them
 */
const cosines = (size, at) => Array.from({ length: 8 }, (_, wave) => Math.cos((Math.PI / size) * (at + 0.5) * wave));

/** @param {number} value  0 to 1 */
const byte = (value) => Math.max(0, Math.min(255, Math.round(value * 255)));

/**
 * width × height pixels of four bytes each, as ImageData takes them.
 * @param {Uint8Array} hash
 * @param {number} width
 * @param {number} height
 */
export function pixels(hash, width, height) {
  const { l, p, q, a } = read(hash);
  const found = new Uint8ClampedArray(width * height * 4);
  const allX = Array.from({ length: width }, (_, x) => cosines(width, x));
  for (let y = 0; y < height; y++) {
    const alongY = cosines(height, y);
    for (let x = 0; x < width; x++) {
      const light = valueAt(l, allX[x], alongY);
      const yellow = valueAt(p, allX[x], alongY);
      const red = valueAt(q, allX[x], alongY);
      const blue = light - (2 / 3) * yellow;
      const r = (3 * light - blue + red) / 2;
      const opacity = a ? valueAt(a, allX[x], alongY) : 1;
      found.set([byte(r), byte(r - red), byte(blue), byte(opacity)], (y * width + x) * 4);
    }
  }
  return found;
}
