// A PUT to a signed address of storage. With XMLHttpRequest, because fetch does not tell how much of a request has
// left.

const MAX_SILENCE = 60_000; // milliseconds; a request that moves nothing for so long is given up

export class StoragePut {
  bytes = 0; // that have left
  #request = new XMLHttpRequest();
  #timer = 0;
  #aborted = false;

  /**
   * @param {string} url
   * @param {Blob} body
   * @param {object} options
   * @param {string} [options.type]  the content type that was signed, if one was
   * @param {(bytes: number) => void} options.moved  called when that many more have left
   * @param {(answer: XMLHttpRequest) => void} options.answered  status 0: it broke. Not called after abort()
   */
  constructor(url, body, { type, moved, answered }) {
    const request = this.#request;
    request.open("PUT", url);
    if (type) request.setRequestHeader("Content-Type", type);
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
