// Bytes as people read them: "7.2 GB", "3.2 of 7.8 GB". The same as size() of app/web/frame/formats.py.
const NO_BREAK = "\u00a0";
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** @param {number} bytes */
function unitOf(bytes) {
  const unit = UNITS.findIndex((_, power) => bytes / 1000 ** power < 999.5);
  return unit === -1 ? UNITS.length - 1 : unit;
}

/**
 * @param {number} bytes
 * @param {number} unit  place in UNITS
 */
function inUnit(bytes, unit) {
  const value = bytes / 1000 ** unit;
  const digits = unit < 2 || value >= 99.95 ? 0 : 1;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * "4,700,000,123 bytes"
 * @param {number} bytes
 */
export const exactSize = (bytes) => `${bytes.toLocaleString("en")} bytes`;

/**
 * "7.2 GB"
 * @param {number} bytes
 */
export const size = (bytes) => `${inUnit(bytes, unitOf(bytes))}${NO_BREAK}${UNITS[unitOf(bytes)]}`;

/**
 * "3.2 of 7.8 GB": both in the unit of the whole.
 * @param {number} part
 * @param {number} whole
 */
export const sizeOf = (part, whole) => `${inUnit(part, unitOf(whole))} of ${size(whole)}`;
