/**
 * The conversation on screen, kept in step with the server.
 *
 * Entries come by the stream and by asking; both end up in the same reducer,
 * which does not mind seeing one twice. What the visitor writes goes out in
 * order, each message under one client id however often it is tried (R1).
 */
import type { Conversation, Entry, Page as Items, Posted } from "../../protocol/index.ts";
import { Over, pause, persist, Refused } from "./api.ts";
import type { Page } from "./page.ts";
import type { Outgoing } from "./state.ts";
import type { Store } from "./store.ts";
import { listen, type Told } from "./stream.ts";
import { words } from "./words.ts";
import type { Visit } from "./visit.ts";

export type Attention = {
  /** Somebody looks at this tab. */
  readonly present: () => boolean;
  readonly changed: (listener: () => void) => void;
};

type Ties = {
  readonly store: Store;
  readonly page: Page;
  readonly attention: Attention;
  /** The server ended the session that was `used`. */
  readonly ended: (visit: Visit, used: string, code: string) => void;
};

const SEND_TRIES = 5;
const PAGE = 100;
/** How long the stream may take to open before history is asked for without it. */
const STREAM_WITHIN = 3000;
/** A hidden tab gives its connection back after this long (W12). */
const HIDDEN_FOR = 30_000;

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
  #listening: AbortController | undefined;
  #position: { last?: string } = {};
  #deliveries: Promise<unknown> = Promise.resolve();

  constructor(private readonly ties: Ties) {
    ties.attention.changed(() => void this.#attend());
  }

  /** Follows `visit` from now on. Its session may be the same as before, or a new one. */
  enter(visit: Visit): void {
    const same = this.#visit === visit && this.#session === visit.session;
    this.#visit = visit;
    this.#session = visit.session;
    if (same) return;
    this.#position = {};
    this.#listen(visit);
    void this.#loadAnyway(visit).catch(() => undefined);
    for (const { id, state } of this.ties.store.state.outbox) {
      if (state === "sending") void this.#deliver(id).catch(() => undefined);
    }
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

  /** Opens a conversation, or a blank page for a new one. */
  async show(conversation: Conversation | null): Promise<void> {
    this.ties.store.dispatch({ type: "conversation", conversation });
    if (conversation && this.#visit) await this.#load(this.#visit, conversation.id, true);
  }

  async list(): Promise<void> {
    const { store } = this.ties;
    store.dispatch({ type: "list", list: { items: null } });
    const visit = this.#visit;
    if (!visit) return;
    const { items } = await persist(() => visit.json<Items<Conversation>>("GET", "/v1/conversations?limit=50"), 3, visit.signal);
    // Made and never spoken in: nothing to come back to.
    if (store.state.list) store.dispatch({ type: "list", list: { items: items.filter((c) => c.last_message !== null) } });
  }

  /** The visitor says that the conversation from before the sign-in was somebody else's. */
  async notMine(): Promise<void> {
    const { conversation } = this.ties.store.state;
    const visit = this.#visit;
    if (!conversation || !visit) return;
    await visit.send("POST", `/v1/conversations/${conversation.id}/not-mine`, { body: {} });
    this.ties.store.dispatch({ type: "conversation", conversation: null });
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

  async #load(visit: Visit, conversation: string, fresh: boolean): Promise<void> {
    const { store } = this.ties;
    let after = fresh ? 0 : (store.state.entries.at(-1)?.number ?? 0);
    const entries: Entry[] = [];
    try {
      for (;;) {
        const path = `/v1/conversations/${conversation}/entries?after=${after}&limit=${PAGE}`;
        const { items, next } = await persist(() => visit.json<Items<Entry>>("GET", path), SEND_TRIES, visit.signal);
        entries.push(...items);
        after = items.at(-1)?.number ?? after;
        if (next === null || items.length === 0) break;
      }
      store.dispatch({ type: "entries", conversation, entries, fresh });
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      // Moved or split off meanwhile: it is not this visitor's any more.
      if (store.state.conversation?.id === conversation) store.dispatch({ type: "conversation", conversation: null });
    }
  }

  /** The stream says when to load. Where something between holds it back, history is still there. */
  async #loadAnyway(visit: Visit): Promise<void> {
    await pause(STREAM_WITHIN, visit.signal);
    const { conversation, loaded } = this.ties.store.state;
    if (conversation && !loaded) await this.#load(visit, conversation.id, false);
  }

  #listen(visit: Visit): void {
    this.#listening?.abort();
    const listening = new AbortController();
    const used = visit.session;
    this.#listening = listening;
    visit.signal.addEventListener("abort", () => listening.abort(), { once: true, signal: listening.signal });
    void listen({
      connect: (headers) => visit.send("GET", "/v1/events", { headers, signal: listening.signal }),
      told: (told) => !listening.signal.aborted && this.#told(visit, used, told),
      link: (link) => !listening.signal.aborted && this.ties.store.dispatch({ type: "link", link }),
      signal: listening.signal,
      position: this.#position,
    });
  }

  /** A tab that nobody looks at gives its connection back, and takes it up where it left off. */
  async #attend(): Promise<void> {
    const { attention } = this.ties;
    const visit = this.#visit;
    if (!visit || visit.signal.aborted) return;
    if (attention.present()) {
      if (this.#listening?.signal.aborted) this.#listen(visit);
      return;
    }
    await pause(HIDDEN_FOR, visit.signal).catch(() => undefined);
    if (!attention.present() && this.#visit === visit) this.#listening?.abort();
  }

  #told(visit: Visit, used: string, { event, data }: Told): void {
    const { store } = this.ties;
    const body = JSON.parse(data || "{}") as { readonly [name: string]: never };
    const open = store.state.conversation;
    switch (event) {
      case "hello":
        if (open) void this.#load(visit, open.id, false).catch(() => undefined);
        return;
      case "resync":
        void this.#resync(visit).catch(() => undefined);
        return;
      case "entry":
        return this.#heard(visit, body as unknown as Entry);
      case "delta":
        return store.dispatch({ type: "delta", conversation: body["conversation"] ?? "", reply: body["reply"] ?? "", text: body["text"] ?? "" });
      case "typing":
        return store.dispatch({ type: "typing", conversation: body["conversation"] ?? "", typing: body["typing"] === true });
      case "status":
        void this.#moved(visit, body["conversation"] ?? "").catch(() => undefined);
        return;
      case "session":
        return this.ties.ended(visit, used, body["code"] ?? "session_expired");
      default:
      // An event of a newer server.
    }
  }

  #heard(visit: Visit, entry: Entry): void {
    const { store, page, attention } = this.ties;
    const { conversation, outbox, open, entries } = store.state;
    // Started elsewhere, on another device perhaps, while nothing is begun here.
    if (!conversation && outbox.length === 0) void this.#moved(visit, entry.conversation, true).catch(() => undefined);
    const known = entries.some((e) => e.id === entry.id && e.number === entry.number);
    store.dispatch({ type: "entry", entry, seen: open && attention.present() });
    if (known) return;
    const where = { conversation: entry.conversation };
    if (entry.kind === "message" && entry.by !== "visitor") page.emit("message_received", { ...where, id: entry.id, by: entry.by });
    if (entry.kind !== "call") return;
    const what = { ...where, call: entry.call, action: entry.action };
    if (entry.phase === "started") page.emit("action_started", what);
    else page.emit("action_finished", { ...what, outcome: entry.outcome ?? "unknown" });
  }

  async #resync(visit: Visit): Promise<void> {
    const open = this.ties.store.state.conversation;
    if (open) return this.#load(visit, open.id, true);
    const { items } = await visit.json<Items<Conversation>>("GET", "/v1/conversations?limit=1");
    if (items[0] && !this.ties.store.state.conversation) await this.show(items[0]);
  }

  /** Reads a conversation's record again; `take` puts it on screen if nothing is. */
  async #moved(visit: Visit, id: string, take = false): Promise<void> {
    const { store } = this.ties;
    if (store.state.list) void this.list().catch(() => undefined);
    if (!take && store.state.conversation?.id !== id) return;
    try {
      const conversation = await visit.json<Conversation>("GET", `/v1/conversations/${id}`);
      const now = store.state.conversation;
      if (now?.id === id) store.dispatch({ type: "conversation", conversation });
      else if (take && !now && store.state.outbox.length === 0) await this.show(conversation);
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      if (store.state.conversation?.id === id) store.dispatch({ type: "conversation", conversation: null });
    }
  }
}
