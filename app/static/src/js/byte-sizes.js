// Bytes as people read them: "7.2 GiB", "3.2 of 7.8 GiB". The same as slipway/client/sizes.py.
const NO_BREAK = "\u00a0";
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** @param {number} bytes */
function unitOf(bytes) {
  const unit = UNITS.findIndex((_, power) => bytes / 1024 ** power < 999.5);
  return unit === -1 ? UNITS.length - 1 : unit;
}

/**
 * @param {number} bytes
 * @param {number} unit  place in UNITS
 */
const placesOf = (bytes, unit) => (unit < 2 || bytes / 1024 ** unit >= 99.95 ? 0 : 1);

/**
 * @param {number} bytes
 * @param {number} unit  place in UNITS
 * @param {number} places  after the point
 */
const inUnit = (bytes, unit, places) =>
  (bytes / 1024 ** unit).toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });

/**
 * "4,700,000,123 bytes"
 * @param {number} bytes
 */
export const exactSize = (bytes) => `${bytes.toLocaleString("en")} bytes`;

/**
 * "7.2 GiB"
 * @param {number} bytes
 */
export function size(bytes) {
  const unit = unitOf(bytes);
  return `${inUnit(bytes, unit, placesOf(bytes, unit))}${NO_BREAK}${UNITS[unit]}`;
}

/**
 * "3.2 of 7.8 GiB": both in the unit of the whole, with as many decimal places.
 * @param {number} part
 * @param {number} whole
 */
export function sizeOf(part, whole) {
  const unit = unitOf(whole);
  return `${inUnit(part, unit, placesOf(whole, unit))} of ${size(whole)}`;
}
