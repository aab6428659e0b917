/**
 * The conversation on screen, kept in step with the server.
 *
 * Entries come by the stream and by asking; both end up in the same reducer,
 * which does not mind seeing one twice. What the visitor writes goes out in
 * order, each message under one client id however often it is tried (R1).
 */
import type { Conversation, Entry, Page as Items, Posted } from "../../protocol/index.ts";
import { Over, persist, Refused } from "./api.ts";
import type { Page } from "./page.ts";
import type { Shelf } from "./shelf.ts";
import type { Outgoing } from "./state.ts";
import type { Store } from "./store.ts";
import { words } from "./words.ts";
import type { Visit } from "./visit.ts";

type Ties = {
  readonly store: Store;
  readonly page: Page;
  readonly shelf: Shelf;
};

const SEND_TRIES = 5;
const PAGE = 100;

const uuid = (): string => {
  // Not `crypto.randomUUID`: an https frame in an http page does not have it.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
};

export class Thread {
  #visit: Visit | null = null;
  #session = "";
  #deliveries: Promise<unknown> = Promise.resolve();

  constructor(private readonly ties: Ties) {}

  /** Goes on in `visit`. Its session may be the same as before, or a new one: then what waits is sent. */
  enter(visit: Visit): void {
    if (this.#visit === visit && this.#session === visit.session) return;
    this.#visit = visit;
    this.#session = visit.session;
    for (const { id, state } of this.ties.store.state.outbox) {
      if (state === "sending") void this.#deliver(id).catch(() => undefined);
    }
  }

  /** Nothing is on screen, and nobody wanted it so: what happens elsewhere may come here. */
  get isFree(): boolean {
    const { conversation, outbox, blank } = this.ties.store.state;
    return !conversation && !blank && outbox.length === 0;
  }

  /** Sends what the visitor wrote; resolves when the server has it for good. */
  send(text: string): Promise<void> {
    const trimmed = text.trim();
    if (trimmed === "") return Promise.resolve();
    const outgoing: Outgoing = { id: uuid(), text: trimmed, state: "sending" };
    this.ties.store.dispatch({ type: "queued", outgoing });
    return this.#deliver(outgoing.id);
  }

  retry(id: string): void {
    this.ties.store.dispatch({ type: "retried", id });
    void this.#deliver(id).catch(() => undefined);
  }

  /** Opens a conversation, at the entry that was sought perhaps, or a blank page for a new one. */
  async show(conversation: Conversation | null, sought?: number): Promise<void> {
    this.ties.store.dispatch({ type: "conversation", conversation, blank: conversation === null, ...(sought !== undefined && { sought }) });
    if (conversation && this.#visit) await this.load(this.#visit, conversation.id, true);
  }

  /** Puts on screen what was begun on another device, perhaps, unless something else is there by then. */
  async take(id: string): Promise<void> {
    const conversation = await this.ties.shelf.refetch(id);
    if (conversation && this.isFree) await this.show(conversation);
  }

  /** The visitor has read enough of this answer. */
  async stop(): Promise<void> {
    const { conversation } = this.ties.store.state;
    const visit = this.#visit;
    if (conversation && visit) await visit.send("POST", `/v1/conversations/${conversation.id}/cancel`, { body: {} });
  }

  /** The visitor says that the conversation from before the sign-in was somebody else's. */
  async notMine(): Promise<void> {
    const { conversation } = this.ties.store.state;
    const visit = this.#visit;
    if (!conversation || !visit) return;
    await visit.send("POST", `/v1/conversations/${conversation.id}/not-mine`, { body: {} });
    this.ties.store.dispatch({ type: "gone", conversation: conversation.id });
  }

  #deliver(id: string): Promise<void> {
    const turn = this.#deliveries.then(() => this.#deliverNow(id));
    this.#deliveries = turn.catch(() => undefined);
    return turn;
  }

  async #deliverNow(id: string): Promise<void> {
    const { store, page } = this.ties;
    const visit = await this.#present();
    const outgoing = store.state.outbox.find((o) => o.id === id);
    if (!outgoing) throw new Over("the message was taken back");
    try {
      const conversation = store.state.conversation ?? (await this.#begin(visit));
      const { entry } = await persist(
        () => visit.json<Posted>("POST", `/v1/conversations/${conversation.id}/messages`, { id, text: outgoing.text }),
        SEND_TRIES,
        visit.signal,
      );
      if (entry) store.dispatch({ type: "entry", entry, seen: true });
      page.emit("message_sent", { conversation: conversation.id, id: entry?.id ?? id });
    } catch (error) {
      if (error instanceof Over) throw error;
      const problem = error instanceof Refused ? error.message : words.notSent;
      store.dispatch({ type: "failed", id, problem });
      throw error;
    }
  }

  /** The visit, as soon as there is one: a message may be written before the session is there. */
  #present(): Promise<Visit> {
    const visit = this.#visit;
    if (visit && !visit.signal.aborted) return Promise.resolve(visit);
    return new Promise((resolve, reject) => {
      const stop = this.ties.store.subscribe(({ phase, outbox }) => {
        const now = this.#visit;
        if (now && !now.signal.aborted && phase.name === "live") resolve(now);
        else if (outbox.length === 0) reject(new Over("the visitor has gone"));
        else return;
        stop();
      });
    });
  }

  async #begin(visit: Visit): Promise<Conversation> {
    const conversation = await persist(() => visit.json<Conversation>("POST", "/v1/conversations", {}), SEND_TRIES, visit.signal);
    this.ties.store.dispatch({ type: "begun", conversation });
    this.ties.page.emit("conversation_started", { conversation: conversation.id });
    return conversation;
  }

  /** Reads what was said; all of it anew if `fresh`. */
  async load(visit: Visit, conversation: string, fresh: boolean): Promise<void> {
    const { store } = this.ties;
    let after = fresh ? 0 : (store.state.entries.at(-1)?.number ?? 0);
    const before = new Set(store.state.entries.map((entry) => entry.id));
    const entries: Entry[] = [];
    try {
      for (;;) {
        const path = `/v1/conversations/${conversation}/entries?after=${after}&limit=${PAGE}`;
        const { items, next } = await persist(() => visit.json<Items<Entry>>("GET", path), SEND_TRIES, visit.signal);
        entries.push(...items);
        after = items.at(-1)?.number ?? after;
        if (next === null || items.length === 0) break;
      }
      // What came by the stream meanwhile is newer than what was asked for.
      const since = store.state.entries.filter((entry) => entry.conversation === conversation && !before.has(entry.id));
      store.dispatch({ type: "entries", conversation, entries: [...entries, ...since], fresh });
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      // Moved, split off or erased meanwhile: it is not this visitor's any more.
      store.dispatch({ type: "gone", conversation });
    }
  }
}
