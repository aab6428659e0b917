import { initial, reduce, type Change, type State } from "./state.ts";

/** Holds the state, and tells who listens that it has changed. */
export class Store {
  #state: State = initial;
  #listeners = new Set<(state: State, before: State) => void>();

  get state(): State {
    return this.#state;
  }

  dispatch = (change: Change): void => {
    const before = this.#state;
    this.#state = reduce(before, change);
    if (this.#state === before) return;
    for (const listener of this.#listeners) listener(this.#state, before);
  };

  subscribe(listener: (state: State, before: State) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
