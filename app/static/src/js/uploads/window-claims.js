// Which uploads this window sends. Windows of one browser tell each other, so that none offers to resume an upload that
// another one is sending.
import { Listeners } from "../listeners.js";

const ANSWER_TIME = 300; // milliseconds in which another window answers

/**
 * A message between windows: "these are mine", "whose are these?", or "I am closed and had these". All are ids.
 * @typedef {{mine?: string[], whose?: string[], left?: string[]}} Message
 */

const channel = "BroadcastChannel" in window ? new BroadcastChannel("slipway-uploads") : null;

/** @type {Set<string>} */
const ours = new Set();

/** Ids that another window has claimed since they were last asked about. @type {Set<string>} */
let claimedElsewhere = new Set();

/** Another window sends the upload with this id. @type {Listeners<string>} */
export const taken = new Listeners();

/** Another window that was sending was closed. @type {Listeners<void>} */
export const windowLeft = new Listeners();

/** @param {Message} message */
const post = (message) => channel?.postMessage(message);

/** @param {string} id */
export function claim(id) {
  ours.add(id);
  post({ mine: [id] });
}

/** @param {string} id */
export function unclaim(id) {
  ours.delete(id);
}

/** @param {string} id */
export const isOurs = (id) => ours.has(id);

/** @param {string} id */
export const isClaimedElsewhere = (id) => claimedElsewhere.has(id);

/**
 * Asks the other windows which of these they send, and waits for their answers.
 * @param {string[]} ids
 */
export async function askOthers(ids) {
  claimedElsewhere = new Set();
  if (!channel || !ids.length) return;
  post({ whose: ids });
  await new Promise((resolve) => setTimeout(resolve, ANSWER_TIME));
}

channel?.addEventListener("message", ({ data }) => {
  const { mine = [], whose = [], left } = /** @type {Message} */ (data);
  const answer = whose.filter((id) => ours.has(id));
  if (answer.length) post({ mine: answer });
  for (const id of mine) {
    claimedElsewhere.add(id);
    taken.call(id);
  }
  if (left) windowLeft.call();
});

addEventListener("pagehide", () => {
  if (ours.size) post({ left: [...ours] });
});
