// One upload from its first byte to its build: begin (or look what has arrived), send the parts, complete, and follow the
// check. Each step may be repeated, so that a lost answer costs nothing.
import * as calls from "./calls.js";
import { Refusal } from "./calls.js";
import { digestOf } from "../sha256.js";
import * as memory from "./memory.js";
import { MOST_TRIES, Parts, backOff } from "./parts.js";

const LONGEST_WAIT = 120; // seconds; beyond, it is said instead of waited for
const HASH_AFTER = 2000; // milliseconds: the first seconds of an upload are its own, and many are over by then
const ROUNDS = 3; // of parts that storage lost after it had taken them

// `told()`: something changed. Ends in one of the phases that have an end.
export async function travel(upload, told) {
  try {
    const state = await arrive(upload, told);
    if (state) conclude(upload, state);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (!upload.cancelled) refused(upload, refusal);
  }
  upload.parts = null;
}

async function arrive(upload, told) {
  let state = await insist(upload, told, () => (upload.key ? calls.read(upload) : calls.begin(upload)));
  if (upload.cancelled) return dropLate(upload, state);
  for (let round = 1; state.phase === "uploading"; round += 1) {
    Object.assign(upload, { key: state.id, partSize: state.partSize, phase: upload.paused ? "paused" : "uploading" });
    memory.claim(upload);
    if (!upload.head) setTimeout(() => recognise(upload), HASH_AFTER);
    try {
      await sendParts(upload, state, told);
      Object.assign(upload, { sent: upload.size });
      state = await insist(upload, told, () => calls.complete(upload));
    } catch (refusal) {
      // 404: storage knows no such transfer; 409: it takes no parts any more, or some are missing after all.
      if (![404, 409].includes(refusal.status) || round >= ROUNDS || upload.cancelled) throw refusal;
      state = await insist(upload, told, () => calls.read(upload));
    }
    if (upload.cancelled) return null;
  }
  return follow(upload, state, told);
}

async function sendParts(upload, state, told) {
  const { file, partSize } = upload;
  const sign = (numbers) => calls.sign(upload, numbers);
  upload.parts = new Parts(file, partSize, { arrived: state.parts, urls: state.urls, sign, told });
  upload.parts.paused = Boolean(upload.paused);
  upload.samples = [];
  await upload.parts.send();
}

// What tells this file from others, for when it must be chosen again.
async function recognise(upload) {
  if (!upload.file || upload.cancelled || upload.phase === "checking" || !upload.started) return;
  try {
    upload.head = await digestOf(upload.file, upload.partSize);
    if (!upload.cancelled && upload.started) memory.remember(upload);
  } catch {
    return; // it cannot be read: sending it says so
  }
}

async function follow(upload, first, told) {
  for (let state = first, looks = 0; ; looks += 1) {
    if (state.phase !== "checking") return state;
    Object.assign(upload, { phase: "checking", ...state.check, sent: upload.size, percent: 100 });
    told();
    await new Promise((resolve) => setTimeout(resolve, document.hidden ? 5000 : Math.min(1000, 250 * (looks + 1))));
    if (upload.cancelled) return null;
    state = await insist(upload, told, () => calls.read(upload), Infinity);
    if (upload.cancelled) return null;
  }
}

function conclude(upload, state) {
  memory.forget(upload);
  const { build, released, unchanged, reason } = state;
  if (state.phase === "failed") Object.assign(upload, { phase: "failed", reason, final: true });
  else Object.assign(upload, { phase: released ? "live" : "ready", build, unchanged, sent: upload.size, percent: 100 });
}

function refused(upload, refusal) {
  if (refusal.status === 410) return Object.assign(upload, { phase: "stopped", at: Date.now(), wrong: refusal.message, file: null });
  const gone = upload.key && refusal.status === 404;
  if (gone) memory.forget(upload);
  if (gone) upload.key = null; // trying again begins anew
  Object.assign(upload, { phase: "failed", reason: refusal.message, refusedWith: refusal.status });
}

// Ask until there is an answer; meanwhile the row says what is waited for.
async function insist(upload, told, ask, most = MOST_TRIES) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask();
    } catch (refusal) {
      const wait = Math.max(refusal.wait, backOff(tried - 1));
      if (!refusal.passes || tried > most || wait > LONGEST_WAIT) throw refusal;
      const phase = upload.phase;
      Object.assign(upload, { tries: tried, mostTries: most, retryAt: Date.now() + wait * 1000, why: refusal });
      if (phase !== "checking") upload.phase = "held";
      told();
      await new Promise((resolve) => {
        upload.nudge = resolve;
        upload.timer = setTimeout(resolve, wait * 1000);
      });
      Object.assign(upload, { retryAt: 0, phase });
      if (upload.cancelled) throw refusal;
      told();
    }
  }
}

// It was cancelled while it began: what the server opened meanwhile goes too.
function dropLate(upload, state) {
  upload.key ??= state.id;
  discard(upload);
  return null;
}

// Tell the server, now or when the page is loaded again; what it is never told expires after a week.
export async function discard(upload) {
  if (!upload.key) return;
  memory.unclaim(upload);
  memory.remember(Object.assign(upload, { dropped: true }));
  try {
    await calls.drop(upload);
  } catch (refusal) {
    if (refusal.status !== 404) return;
  }
  memory.forget(upload);
}
