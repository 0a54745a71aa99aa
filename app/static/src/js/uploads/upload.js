// One upload of a build: what it is, and the states that it goes through. This file holds no network calls and no
// elements: send-upload.js moves an upload from state to state, upload-row.js shows it.
//
//     waiting <-> held ──> uploading <-> paused, held ──> (sent) ──> checking ──> ready or live
//
// Each of them may fail, and a failed upload may wait again. A reload leaves "stopped", which waits again with its
// file.
import { escapeInvisible } from "../invisible.js";
import { Progress } from "../progress.js";
import { Stateful } from "../stateful.js";

/**
 * @typedef {import("./part-sender.js").PartSender} PartSender
 * @typedef {import("./upload-api.js").UploadRefusal} UploadRefusal
 */

/**
 * The game that a build is sent to.
 * @typedef {object} Game
 * @property {string} slug
 * @property {string} title
 * @property {string} uploadsUrl  where uploads are begun
 * @property {string} detailUrl   where the game and its rollout are read; "" for uploads that an older version saved
 * @property {number} nextBuild   the number that the build is expected to get
 */

/**
 * A wait before the next try.
 * @typedef {object} Retry
 * @property {number} tries
 * @property {number} maxTries  may be Infinity
 * @property {number} at        Date.now() of the next try
 * @property {UploadRefusal | null} cause
 */

/**
 * Not begun: `ahead` uploads of the same game go first.
 * @typedef {{name: "waiting", ahead: number}} Waiting
 *
 * Cannot go on now. Without `retry` it has not begun, because storage is unreachable, and begins by itself.
 * @typedef {{name: "held", retry: Retry | null}} Held
 *
 * @typedef {{name: "uploading"}} Uploading
 * @typedef {{name: "paused"}} Paused
 *
 * Every byte is stored; its game is not registered yet.
 * @typedef {{name: "sent"}} Sent
 *
 * Every byte is stored; the server reads the archive.
 * @typedef {{name: "checking", filesRead: number, bytesRead: number}} Checking
 *
 * The page that sent it is gone: its file must be chosen again. `problem` is what was wrong with the last chosen one.
 * `since` is Date.now() of its last sign of life, `expiresAt` an ISO 8601 time.
 * @typedef {{name: "stopped", since: number, expiresAt: string | null, problem: string}} Stopped
 *
 * It is build `build`. `unchanged`: that build existed before, with the same bytes.
 * @typedef {{name: "ready", build: number, unchanged: boolean}} Ready
 *
 * It is build `build`, and released. `rollout`: on how many servers it is, once that is known.
 * @typedef {{name: "live", build: number, rollout: Rollout | null}} Live
 * @typedef {{cached: number, servers: number}} Rollout
 *
 * `final`: the same file would fail again.
 * @typedef {{name: "failed", reason: string, final: boolean}} Failed
 *
 * @typedef {Waiting | Held | Uploading | Paused | Sent | Checking | Stopped | Ready | Live | Failed} UploadState
 */

/** @type {Record<UploadState["name"], UploadState["name"][]>} */
const NEXT = {
  waiting: ["waiting", "held", "uploading"],
  held: ["held", "waiting", "uploading", "paused", "sent", "checking", "ready", "live", "stopped", "failed"],
  uploading: ["uploading", "held", "paused", "sent", "checking", "ready", "live", "stopped", "failed"],
  paused: ["paused", "uploading", "held", "sent", "checking", "ready", "live", "stopped", "failed"],
  sent: ["sent", "uploading", "held", "checking", "ready", "live", "stopped", "failed"],
  checking: ["checking", "ready", "live", "stopped", "failed"],
  stopped: ["stopped", "waiting"],
  ready: [],
  live: ["live", "ready"],
  failed: ["waiting"],
};

/** A transfer in progress: from its first call to the server until it ends or is cancelled. */
export class Transfer {
  startedAt = Date.now();
  cancelled = false;

  /** @type {PartSender | null} */
  parts = null;

  #wake = () => {}; // ends the present wait

  /** @param {number} milliseconds */
  wait(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  cancel() {
    this.cancelled = true;
    this.parts?.cancel();
    this.#wake();
  }

  // If it waits for its next try, that is now.
  retryNow() {
    if (this.parts?.retryAt) this.parts.nudge();
    else this.#wake();
  }
}

/**
 * What an upload is made from. After a reload the last four are known from before.
 * @typedef {object} UploadFacts
 * @property {File | null} file
 * @property {string} name
 * @property {number} size  in bytes
 * @property {boolean} [release]  whether the build is to go live by itself; else its game's setting decides
 * @property {string} [version]  the studio's own name for the build; "" and none after a reload
 * @property {Game | null} game  null while it is not registered
 * @property {string} [uploadsUrl]  where it is or was begun, if not at its game
 * @property {string | null} [id]
 * @property {number} [partSize]
 * @property {string} [head]
 * @property {number} [stored]
 */

/** @type {UploadState} */
const WAITING = { name: "waiting", ahead: 0 };
let count = 0;

/** @extends {Stateful<UploadState>} */
export class Upload extends Stateful {
  /** Of its row in this page. */
  number = (count += 1);
  progress = new Progress();

  /** Whether its person has paused it. It is shown as paused once parts are sent. */
  paused = false;

  /** It failed because the session had ended: it goes on after signing in. */
  signedOut = false;

  /** @type {Transfer | null} */
  transfer = null;

  /**
   * @param {UploadFacts} facts
   * @param {UploadState} state
   */
  constructor(facts, state = WAITING) {
    super(state, NEXT);
    const { file, name, size, release, version, game, id = null, partSize = 0, head = "", stored = 0 } = facts;
    this.file = file;
    this.name = name;
    this.size = size;
    this.release = release;
    this.version = version;
    this.game = game;
    this.uploadsUrl = facts.uploadsUrl ?? game?.uploadsUrl ?? "";
    /** Its id at the server, once it has begun. */
    this.id = id;
    this.partSize = partSize;
    /** SHA-256 of its first part, "" until it is known. */
    this.head = head;
    /** Bytes in parts that storage has acknowledged. */
    this.stored = stored;
    if (state.name === "checking") this.progress.finish(size);
    else this.progress.advance(stored, size);
  }

  /** The file's name as people see it. */
  get shownName() {
    return escapeInvisible(this.name);
  }

  /** Its address at the server. Throws before it has begun. */
  get url() {
    if (!this.id) throw new Error(`The upload of ${this.name} has not begun.`);
    return `${this.uploadsUrl}/${this.id}`;
  }

  /** It has a game that the server may not know of. */
  get hasNewGame() {
    return this.game !== null && this.uploadsUrl !== this.game.uploadsUrl;
  }

  /** It waits for nothing but its person. */
  get ended() {
    return this.is("ready", "live", "failed", "stopped");
  }

  /** It is a build, or never will be one. */
  get decided() {
    return this.is("ready", "live") || (this.state.name === "failed" && this.state.final);
  }

  /** It failed before any of it was sent, or with all of it: not in between. */
  get rejected() {
    const { sent } = this.progress;
    return this.is("failed") && (sent === 0 || sent >= this.size);
  }

  /**
   * @override
   * @param {UploadState} state
   */
  become(state) {
    super.become(state);
    if (this.is("checking", "ready", "live")) this.progress.finish(this.size);
  }

  begin() {
    this.transfer = new Transfer();
    if (!this.is("sent", "checking")) this.become({ name: "uploading" });
    return this.transfer;
  }

  // From the beginning, or from what storage has.
  waitAgain() {
    this.paused = false;
    this.signedOut = false;
    if (!this.id) this.progress = new Progress();
    this.become(WAITING);
  }
}
