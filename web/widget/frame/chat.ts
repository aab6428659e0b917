import type { ToFrame, Failure } from "../channel.ts";
import { Over } from "./api.ts";
import { Identity, type Parts } from "./identity.ts";
import { Store } from "./store.ts";
import { Thread, type Attention } from "./thread.ts";

export type Surroundings = Omit<Parts, "store" | "entered"> & { readonly attention: Attention };

/** Who is there and what they say, put together. Knows of no document: the same runs in tests. */
export class Chat {
  readonly store = new Store();
  readonly identity: Identity;
  readonly thread: Thread;

  constructor(private readonly around: Surroundings) {
    const { store } = this;
    const { page, attention, keep } = around;
    this.thread = new Thread({ store, page, attention, ended: (visit, used, code) => void this.identity.gone(visit, used, code) });
    this.identity = new Identity({
      ...around,
      store,
      entered: (visit) => {
        this.thread.enter(visit);
        if (!visit.contact && store.state.draft === "") store.dispatch({ type: "composed", text: keep.read("draft") ?? "" });
      },
    });
  }

  /** Does what the page asks for; resolves when it is done. */
  async hear(message: Exclude<ToFrame, { type: "answer" }>): Promise<unknown> {
    switch (message.type) {
      case "identify":
        return this.identity.identify("start");
      case "logout":
        return this.identity.logout();
      case "send":
        return this.send(message.text);
      case "prefill":
        return this.compose(message.text);
      case "shown":
        this.store.dispatch({ type: "shown", open: message.open });
        return message.open ? this.identity.wanted() : undefined;
      case "set":
        return this.store.dispatch({ ...message, type: "preferences" });
      default:
        return message satisfies never;
    }
  }

  async send(text: string): Promise<void> {
    const sent = this.thread.send(text);
    // A failure shows in the view, and the message waits for the next session.
    void this.identity.wanted().catch(() => undefined);
    await sent;
  }

  compose(text: string): void {
    this.store.dispatch({ type: "composed", text });
    // A verified visitor's draft stays in memory.
    const { phase } = this.store.state;
    if (phase.name === "live" && phase.contact === null) this.around.keep.write("draft", text);
  }
}

/** An error in the words that the page gets. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Over) return { code: "interrupted", message: error.message };
  const { code, message, hint } = Object(error) as Partial<Failure>;
  return { code: code ?? "unreachable", message: message ?? String(error), ...(hint !== undefined && { hint }) };
}
