/** Tells the server what the visitor has read, so that every device knows. */
import { isPassing, Over, persist } from "./api.ts";
import type { Attention } from "./hearing.ts";
import { isUnseen } from "./state.ts";
import type { Store } from "./store.ts";
import type { Visit } from "./visit.ts";

/** Several messages that are read one after the other are told of once. */
const READS_FOR = 400;
const TRIES = 3;

export class Marks {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #telling = false;

  constructor(
    private readonly store: Store,
    private readonly visit: () => Visit | null,
    private readonly attention: Attention,
  ) {
    store.subscribe(() => this.look());
    attention.changed(() => this.look());
  }

  /** What is on screen before somebody's eyes is read. */
  look(): void {
    const { store, attention } = this;
    if (attention.present() && isUnseen(store.state)) store.dispatch({ type: "looked" });
    // A member of staff who looks is not the customer who reads (T10).
    const { phase, link, marks } = store.state;
    if (phase.name !== "live" || phase.actor !== null || link === "lost" || this.#telling || Object.keys(marks).length === 0) return;
    if (this.#timer === undefined) this.#timer = setTimeout(() => void this.#tell(), READS_FOR);
  }

  async #tell(): Promise<void> {
    this.#timer = undefined;
    const visit = this.visit();
    if (!visit) return;
    this.#telling = true;
    await Promise.all(Object.entries(this.store.state.marks).map(([id, upTo]) => this.#mark(visit, id, upTo)));
    this.#telling = false;
  }

  async #mark(visit: Visit, conversation: string, upTo: number): Promise<void> {
    try {
      await persist(() => visit.send("POST", `/v1/conversations/${conversation}/read`, { body: { up_to: upTo } }), TRIES, visit.signal);
    } catch (error) {
      // What could not be told now is told with whatever happens next; what was refused, never.
      if (error instanceof Over || isPassing(error)) return;
    }
    this.store.dispatch({ type: "marked", conversation, upTo });
  }
}
