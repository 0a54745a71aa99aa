// How long to wait before something that failed is tried again.

export const MAX_TRIES = 10; // in a row
export const MAX_DELAY = 120; // seconds; a longer wait is reported instead

/**
 * Seconds before the next try: 1, 2, 4 … 60, each a little random, so that many do not come back at the same moment.
 * @param {number} failures  before this one
 */
export const retryDelay = (failures) => Math.min(60, 2 ** failures) * (0.75 + Math.random() / 2);
