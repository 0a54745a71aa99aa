// Functions that are called when something happens. One that fails does not keep the others from being called.

/** @template T  what they are called with */
export class Listeners {
  #target = new EventTarget();

  /** @param {(value: T) => void} listener */
  add(listener) {
    this.#target.addEventListener("call", (event) => listener(/** @type {CustomEvent<T>} */ (event).detail));
  }

  /** @param {T} value */
  call(value) {
    this.#target.dispatchEvent(new CustomEvent("call", { detail: value }));
  }
}
