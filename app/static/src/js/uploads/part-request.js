// One part on its way to storage: a PUT to a signed address. With XMLHttpRequest, because fetch does not tell how much
// of a request has left.
import { UploadRefusal } from "./upload-api.js";

const MAX_SILENCE = 60_000; // milliseconds; a request that moves nothing for so long is given up

export class PartRequest {
  bytes = 0; // that have left
  #request = new XMLHttpRequest();
  #timer = 0;
  #aborted = false;

  /**
   * @param {string} url
   * @param {Blob} body
   * @param {object} options
   * @param {(bytes: number) => void} options.moved  that many more have left
   * @param {(answer: XMLHttpRequest) => void} options.answered  with status 0 if it broke; not called after abort()
   */
  constructor(url, body, { moved, answered }) {
    const request = this.#request;
    request.open("PUT", url);
    request.upload.onprogress = ({ loaded }) => {
      const before = this.bytes;
      this.bytes = loaded;
      this.#watch();
      moved(loaded - before);
    };
    request.onloadend = () => {
      clearTimeout(this.#timer);
      if (!this.#aborted) answered(request);
    };
    this.#watch();
    request.send(body);
  }

  abort() {
    this.#aborted = true;
    this.#request.abort();
  }

  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#request.abort(), MAX_SILENCE);
  }
}

/**
 * @param {XMLHttpRequest} answer  that is not 200
 */
export function refusalOf(answer) {
  // From all headers: asking for one that storage does not show to pages is an error in the console.
  const wait = Number(/^retry-after: *(\d+)/im.exec(answer.getAllResponseHeaders())?.[1] ?? 0);
  return new UploadRefusal(`Storage answered ${answer.status}.`, { status: answer.status, wait, storage: true });
}
