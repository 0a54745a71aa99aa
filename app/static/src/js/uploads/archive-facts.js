// What the beginning of an archive says about its game, read in the browser: the form for a new game is filled with it.
// The server reads the whole archive later and decides.

const MAX_PACKED = 8_000_000; // bytes of the file that are read
const MAX_UNPACKED = 64_000_000; // bytes that they are unpacked to
const MAX_MEMBERS = 2000;
const MAX_OPTIONS = 500_000; // bytes of options.rpy
const BLOCK = 512; // of a tar file
const OPTIONS = /^[^/]+\/game\/options\.rpy$/;
const LAUNCHER = /^[^/]+\/[^/]+\.sh$/;
export const ARCHIVE = /\.(tar\.gz|tgz)$/i;
// A version, a platform: "-1.2-linux".
const SUFFIXES = /([-_ ](v?\d[\d.]*\w*|linux|pc|x86|all|market|release))+$/i;
const GENERIC = /^(build|game|archive|dist|release|linux|pc|upload)?$/i; // names of files that name no game

/**
 * Each is "" where the beginning of the archive does not name it.
 * @typedef {object} ArchiveFacts
 * @property {string} title
 * @property {string} directory  the top one
 * @property {string} launcher   file name of the first executable script in it
 * @property {string} saveDirectory
 */

/** Reads exact counts of bytes from a stream. */
class ByteReader {
  /** @type {Uint8Array} */
  #chunk = new Uint8Array();
  #left = MAX_UNPACKED;

  /** @param {ReadableStreamDefaultReader<Uint8Array>} reader */
  constructor(reader) {
    this.reader = reader;
  }

  /**
   * The next bytes; null at the end. With `keep` false they are passed over.
   * @param {number} count
   */
  async next(count, keep = true) {
    this.#left -= count;
    if (this.#left < 0) return null;
    const kept = new Uint8Array(keep ? count : 0);
    for (let have = 0; have < count; ) {
      if (!this.#chunk.length) {
        const { value, done } = await this.reader.read();
        if (done) return null;
        this.#chunk = value;
      }
      const piece = this.#chunk.subarray(0, count - have);
      if (keep) kept.set(piece, have);
      this.#chunk = this.#chunk.subarray(piece.length);
      have += piece.length;
    }
    return kept;
  }
}

const decoder = new TextDecoder();

/**
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} length
 */
const text = (bytes, start, length) => decoder.decode(bytes.subarray(start, start + length)).replace(/\0.*$/s, "");

/**
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} length
 */
const octal = (bytes, start, length) => Number.parseInt(text(bytes, start, length).trim() || "0", 8) || 0;

/**
 * The members of a tar file, with the content of those that are wanted.
 * @param {ByteReader} bytes
 * @param {(name: string) => boolean} isWanted
 */
async function* members(bytes, isWanted) {
  let longName = "";
  for (let header = await bytes.next(BLOCK); header?.[0]; header = await bytes.next(BLOCK)) {
    const type = text(header, 156, 1);
    const prefix = text(header, 257, 5) === "ustar" ? text(header, 345, 155) : "";
    const name = longName || (prefix && type !== "L" ? `${prefix}/` : "") + text(header, 0, 100);
    const length = octal(header, 124, 12);
    const isName = type === "x" || type === "L"; // a header that carries the name of the next member
    const content = await bytes.next(length, isName || (isWanted(name) && length <= MAX_OPTIONS));
    if (!content) return;
    await bytes.next((BLOCK - (length % BLOCK)) % BLOCK, false);
    if (type === "L") longName = text(content, 0, length);
    else if (type === "x") longName = /\d+ path=(.*)\n/.exec(decoder.decode(content))?.[1] ?? "";
    else {
      longName = "";
      const isProgram = (type || "0") === "0" && (octal(header, 100, 8) & 0o111) > 0;
      yield { name: name.replace(/^\.\//, ""), isProgram, content: decoder.decode(content) };
    }
  }
}

/**
 * The text that a Ren'Py script gives to a setting, or "".
 * @param {string} script
 * @param {string} name  as a regular expression
 */
function setting(script, name) {
  const line = new RegExp(`^\\s*define\\s+${name}\\s*=\\s*(?:_\\()?(["'])(.*?)\\1`, "m");
  return line.exec(script)?.[2].trim() ?? "";
}

/**
 * @param {File} file
 * @returns {Promise<ArchiveFacts>}
 */
export async function readArchiveFacts(file) {
  const facts = { title: "", directory: "", launcher: "", saveDirectory: "" };
  let readsOptions = false;
  let count = 0;
  const unpacked = file.slice(0, MAX_PACKED).stream().pipeThrough(new DecompressionStream("gzip"));
  const reader = unpacked.getReader();
  try {
    for await (const { name, isProgram, content } of members(new ByteReader(reader), (path) => OPTIONS.test(path))) {
      facts.directory ||= name.split("/")[0];
      if (!facts.launcher && isProgram && LAUNCHER.test(name)) facts.launcher = name.split("/")[1];
      if (OPTIONS.test(name)) {
        facts.title = setting(content, "config\\.name");
        facts.saveDirectory = setting(content, "config\\.save_directory");
        readsOptions = true;
      }
      count += 1;
      if ((facts.launcher && readsOptions) || count >= MAX_MEMBERS) break;
    }
  } catch {
    return facts; // the beginning ends in the middle, or it is no archive
  } finally {
    reader.cancel().catch(() => {});
  }
  return facts;
}

/**
 * A title made from the file's name, or from the archive's directory where the file's name names no game:
 * "paper-lanterns-1.2-linux" is "Paper Lanterns".
 * @param {string} fileName
 * @param {string} directory
 */
export function titleOf(fileName, directory) {
  const stem = fileName.replace(ARCHIVE, "").replace(SUFFIXES, "");
  const name = GENERIC.test(stem) ? directory.replace(SUFFIXES, "").replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2") : stem;
  return (name || stem)
    .replace(/[-_]+/g, " ")
    .trim()
    .replace(/\b\p{L}/gu, (letter) => letter.toUpperCase());
}
