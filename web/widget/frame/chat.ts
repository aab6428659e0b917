import type { ToFrame } from "../channel.ts";
import { Code } from "./code.ts";
import { Identity, type Parts } from "./identity.ts";
import { Store } from "./store.ts";
import { Thread, type Attention } from "./thread.ts";

export type Surroundings = Omit<Parts, "store" | "entered"> & { readonly attention: Attention };

/** Who is there and what they say, put together. Knows of no document: the same runs in tests. */
export class Chat {
  readonly store = new Store();
  readonly identity: Identity;
  readonly thread: Thread;
  readonly code: Code;

  constructor(private readonly around: Surroundings) {
    const { store } = this;
    const { page, attention, keep } = around;
    this.thread = new Thread({ store, page, attention, ended: (visit, used, code) => void this.identity.gone(visit, used, code) });
    this.code = new Code({ store, api: around.api, visit: () => this.identity.visit });
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
    const { keep } = this.around;
    if (phase.name !== "live" || phase.contact !== null) return;
    if (text === "") keep.clear("draft");
    else keep.write("draft", text);
  }
}
