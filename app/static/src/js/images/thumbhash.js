// Reads a ThumbHash (evanw.github.io/thumbhash), from the description of the format: some 25 bytes that hold an image as a
// few cosine waves of lightness (l), two colour differences (p, q) and, where it is transparent, opacity (a).
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function read(hash) {
  const head = hash[0] | (hash[1] << 8) | (hash[2] << 16);
  const tail = hash[3] | (hash[4] << 8);
  const transparent = Boolean(head >> 23);
  const landscape = Boolean(tail >> 15);
  const most = transparent ? 5 : 7;
  const waves = { x: Math.max(3, landscape ? most : tail & 7), y: Math.max(3, landscape ? tail & 7 : most) };
  let nibble = 0;
  const start = transparent ? 6 : 5;
  const channel = (x, y, scale) => {
    const found = [];
    for (let cy = 0; cy < y; cy++) {
      for (let cx = cy ? 0 : 1; cx * y < x * (y - cy); cx++) {
        found.push((((hash[start + (nibble >> 1)] >> ((nibble & 1) << 2)) & 15) / 7.5 - 1) * scale);
        nibble += 1;
      }
    }
    return found;
  };
  // Colours were made a little stronger when they were rounded away.
  const l = channel(waves.x, waves.y, ((head >> 18) & 31) / 31);
  const p = channel(3, 3, (((tail >> 3) & 63) / 63) * 1.25);
  const q = channel(3, 3, (((tail >> 9) & 63) / 63) * 1.25);
  const a = transparent ? channel(5, 5, (hash[5] >> 4) / 15) : null;
  const means = { l: (head & 63) / 63, p: ((head >> 6) & 63) / 31.5 - 1, q: ((head >> 12) & 63) / 31.5 - 1, a: transparent ? (hash[5] & 15) / 15 : 1 };
  return { waves, l, p, q, a, means };
}

function sum(mean, factors, x, y, alongX, alongY) {
  let value = mean;
  let place = 0;
  for (let cy = 0; cy < y; cy++) {
    const twice = alongY[cy] * 2;
    for (let cx = cy ? 0 : 1; cx * y < x * (y - cy); cx++, place++) value += factors[place] * alongX[cx] * twice;
  }
  return value;
}

const cosines = (size, at) => Array.from({ length: 8 }, (_, wave) => Math.cos((Math.PI / size) * (at + 0.5) * wave));
const byte = (value) => Math.max(0, Math.min(255, Math.round(value * 255)));

// width × height pixels of four bytes each, as ImageData wants them.
export function pixels(hash, width, height) {
  const { waves, l, p, q, a, means } = read(hash);
  const found = new Uint8ClampedArray(width * height * 4);
  const alongX = Array.from({ length: width }, (_, x) => cosines(width, x));
  for (let y = 0; y < height; y++) {
    const alongY = cosines(height, y);
    for (let x = 0; x < width; x++) {
      const light = sum(means.l, l, waves.x, waves.y, alongX[x], alongY);
      const yellow = sum(means.p, p, 3, 3, alongX[x], alongY);
      const red = sum(means.q, q, 3, 3, alongX[x], alongY);
      const blue = light - (2 / 3) * yellow;
      const r = (3 * light - blue + red) / 2;
      const opacity = a ? sum(means.a, a, 5, 5, alongX[x], alongY) : 1;
      found.set([byte(r), byte(r - red), byte(blue), byte(opacity)], (y * width + x) * 4);
    }
  }
  return found;
}
