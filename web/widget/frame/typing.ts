/** Who is typing: the visitor here, told to their other devices; the visitor there, and the agent, told here. */
import type { Store } from "./store.ts";
import type { Visit } from "./visit.ts";

/** Who goes on typing says so this often. */
const AGAIN_AFTER = 3000;
/** Who does nothing for so long has stopped. */
const IDLE_AFTER = 5000;
/** Whoever does not say it again for so long has stopped, whatever became of their device. */
const FORGOTTEN_AFTER = 6000;

/** A conversation, and whose it is. */
type Where = { readonly conversation: string; readonly visit: Visit };
type Timer = ReturnType<typeof setTimeout>;

export class Typing {
  /** Where the other devices take the visitor to be typing, and as whom. */
  #where: Where | null = null;
  #again: Timer | undefined;
  #idle: Timer | undefined;
  #elsewhere = new Map<string, Timer>();
  #telling: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: Store,
    private readonly visit: () => Visit | null,
  ) {}

  /** The visitor has written something into the composer. */
  typed(text: string): void {
    const { phase, conversation, online } = this.store.state;
    // A member of staff who types is not the customer (T10).
    const isTheirs = phase.name === "live" && phase.actor === null && online;
    const visit = this.visit();
    if (!isTheirs || !visit || !conversation || text.trim() === "") return this.stopped();
    if (this.#where?.conversation !== conversation.id) this.stopped();
    if (this.#again === undefined) {
      this.#where = { conversation: conversation.id, visit };
      this.#tell(this.#where, true);
      this.#again = setTimeout(() => (this.#again = undefined), AGAIN_AFTER);
    }
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stopped(), IDLE_AFTER);
  }

  /** They have sent it, thought better of it, or gone elsewhere. */
  stopped(): void {
    clearTimeout(this.#again);
    clearTimeout(this.#idle);
    this.#again = this.#idle = undefined;
    if (this.#where !== null) this.#tell(this.#where, false);
    this.#where = null;
  }

  /** Somebody began or stopped. */
  heard(conversation: string, by: "agent" | "visitor", typing: boolean): void {
    const change = (now: boolean) => this.store.dispatch({ type: "typing", conversation, by, typing: now });
    if (by === "visitor") {
      clearTimeout(this.#elsewhere.get(conversation));
      if (typing) this.#elsewhere.set(conversation, setTimeout(() => change(false), FORGOTTEN_AFTER));
    }
    change(typing);
  }

  /** In the order in which it happened, and once: what is lost is of no use later. */
  #tell({ conversation, visit }: Where, typing: boolean): void {
    if (visit !== this.visit()) return;
    const tell = () => visit.send("POST", `/v1/conversations/${conversation}/typing`, { body: { typing } });
    this.#telling = this.#telling.then(tell).catch(() => undefined);
  }
}
