import type { ToFrame } from "../channel.ts";
import { Code } from "./code.ts";
import { Identity, type Parts } from "./identity.ts";
import { Deeds } from "./deeds.ts";
import { Hearing, type Attention } from "./hearing.ts";
import { Marks } from "./marks.ts";
import { Shelf } from "./shelf.ts";
import { Store } from "./store.ts";
import { Thread } from "./thread.ts";
import { Typing } from "./typing.ts";
import type { Visit } from "./visit.ts";

export type Surroundings = Omit<Parts, "store" | "entered"> & { readonly attention: Attention };

/** Who is there and what they say, put together. Knows of no document: the same runs in tests. */
export class Chat {
  readonly store = new Store();
  readonly identity: Identity;
  readonly thread: Thread;
  readonly shelf: Shelf;
  readonly typing: Typing;
  readonly hearing: Hearing;
  readonly code: Code;
  readonly deeds: Deeds;

  constructor(private readonly around: Surroundings) {
    const { store } = this;
    const { page, attention, keep } = around;
    const visit = () => this.identity.visit;
    this.shelf = new Shelf(store, visit);
    this.typing = new Typing(store, visit);
    this.thread = new Thread({ store, page, shelf: this.shelf });
    const ended = (over: Visit, used: string, code: string) => void this.identity.gone(over, used, code);
    this.hearing = new Hearing({ store, page, attention, thread: this.thread, shelf: this.shelf, typing: this.typing, ended });
    new Marks(store, visit, attention);
    this.code = new Code({ store, api: around.api, visit });
    this.identity = new Identity({
      ...around,
      store,
      entered: (entered) => {
        this.thread.enter(entered);
        this.hearing.enter(entered);
        if (!entered.contact && store.state.draft === "") store.dispatch({ type: "composed", text: keep.read("draft") ?? "" });
      },
    });
    this.deeds = new Deeds({ store, shelf: this.shelf, thread: this.thread, identity: this.identity });
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
    this.typing.stopped();
    // A failure shows in the view, and the message waits for the next session.
    const { name } = this.store.state.phase;
    void (name === "erased" ? this.identity.retry() : this.identity.wanted()).catch(() => undefined);
    await sent;
  }

  /** The visitor writes. */
  write(text: string): void {
    this.compose(text);
    this.typing.typed(text);
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
