/**
 * "1 upload", "1,204 files": the same as counted() of app/web/frame/formats.py.
 * @param {number} count
 * @param {string} noun
 */
export const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
