/**
 * Something that is always in exactly one of several named states, such as an upload.
 * @template {{name: string}} State
 */
export class Stateful {
  /** @type {Record<string, string[]>} */
  #next;

  /**
   * @param {State} state  the first one
   * @param {Record<State["name"], State["name"][]>} next  which states can follow each state
   */
  constructor(state, next) {
    this.state = state;
    this.#next = next;
  }

  /** @param {...State["name"]} names */
  is(...names) {
    return names.includes(this.state.name);
  }

  /**
   * The only way to another state. Throws for one that cannot follow.
   * @param {State} state
   */
  become(state) {
    if (!this.#next[this.state.name].includes(state.name)) {
      throw new Error(`What is ${this.state.name} cannot become ${state.name}.`);
    }
    this.state = state;
  }
}
