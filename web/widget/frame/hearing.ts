/**
 * What the server tells of its own accord: one stream for all of a visitor's
 * conversations, on every device (R4).
 *
 * Whatever comes by it ends up in the reducer, which does not mind hearing a thing
 * twice. What the stream cannot replay is asked for.
 */
import type { Conversation, Entry } from "../../protocol/index.ts";
import { pause } from "./api.ts";
import type { Page } from "./page.ts";
import type { Shelf } from "./shelf.ts";
import type { Store } from "./store.ts";
import { listen, type Told } from "./stream.ts";
import type { Thread } from "./thread.ts";
import type { Typing } from "./typing.ts";
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
  readonly thread: Thread;
  readonly shelf: Shelf;
  readonly typing: Typing;
  /** The server ended the session that was `used`. */
  readonly ended: (visit: Visit, used: string, code: string) => void;
};

/** How long the stream may take to open before history is asked for without it. */
const STREAM_WITHIN = 3000;
/** A hidden tab gives its connection back after this long (W12). */
const HIDDEN_FOR = 30_000;

const quietly = (work: Promise<unknown>) => void work.catch(() => undefined);

export class Hearing {
  #visit: Visit | null = null;
  #session = "";
  #listening: AbortController | undefined;
  #position: { last?: string } = {};

  constructor(private readonly ties: Ties) {
    ties.attention.changed(() => void this.#attend());
  }

  /** Follows `visit` from now on. Its session may be the same as before, or a new one. */
  enter(visit: Visit): void {
    if (this.#visit === visit && this.#session === visit.session) return;
    this.#visit = visit;
    this.#session = visit.session;
    this.#position = {};
    this.#listen(visit);
    quietly(this.#loadAnyway(visit));
  }

  /** The network is back: what is there of a stream may be dead, and nobody waits for it to be found out. */
  wake(): void {
    const visit = this.#visit;
    if (visit && !visit.signal.aborted && this.ties.attention.present()) this.#listen(visit);
  }

  /** The stream says when to load. Where something between holds it back, history is still there. */
  async #loadAnyway(visit: Visit): Promise<void> {
    const { store } = this.ties;
    await pause(STREAM_WITHIN, visit.signal);
    if (store.state.link !== "live") await this.#catchUp(visit, false);
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
    const { store, shelf, typing } = this.ties;
    const body = JSON.parse(data || "{}") as { readonly [name: string]: never };
    const conversation: string = body["conversation"] ?? "";
    switch (event) {
      case "hello":
        return quietly(this.#catchUp(visit, false));
      case "resync":
        return quietly(this.#catchUp(visit, true));
      case "entry":
        return this.#heard(body as unknown as Entry);
      case "delta":
        return store.dispatch({ type: "delta", conversation, reply: body["reply"] ?? "", text: body["text"] ?? "" });
      case "typing":
        return typing.heard(conversation, body["by"] === "visitor" ? "visitor" : "agent", body["typing"] === true);
      case "status":
        return shelf.heard(body as unknown as Conversation);
      case "session":
        return this.ties.ended(visit, used, body["code"] ?? "session_expired");
      default:
      // An event of a newer server.
    }
  }

  #heard(entry: Entry): void {
    const { store, page, attention, shelf, thread } = this.ties;
    const { conversation, entries, open, list, records } = store.state;
    const known = entries.some((e) => e.id === entry.id && e.number === entry.number);
    const onScreen = entry.conversation === conversation?.id && open && !list && attention.present();
    store.dispatch({ type: "entry", entry, seen: onScreen });
    if (thread.isFree) quietly(thread.take(entry.conversation));
    else if (!records[entry.conversation]) quietly(shelf.refetch(entry.conversation));
    if (known) return;
    const where = { conversation: entry.conversation };
    if (entry.kind === "message" && entry.by !== "visitor") page.emit("message_received", { ...where, id: entry.id, by: entry.by });
    if (entry.kind !== "call") return;
    const what = { ...where, call: entry.call, action: entry.action };
    if (entry.phase === "started") page.emit("action_started", what);
    else page.emit("action_finished", { ...what, outcome: entry.outcome ?? "unknown" });
  }

  /** Reads how things stand: the list with its marks, and the conversation on screen. */
  async #catchUp(visit: Visit, fresh: boolean): Promise<void> {
    const { conversation } = this.ties.store.state;
    // Who has just come, and whom nobody knows, has said nothing yet.
    if (!conversation && !visit.contact && !fresh) return;
    const { thread, shelf } = this.ties;
    await Promise.all([shelf.load(), conversation && thread.load(visit, conversation.id, fresh)]);
    // Begun elsewhere before anything was heard here, or left when what was shown went away.
    const latest = shelf.latest;
    if (latest && thread.isFree) await thread.show(latest);
  }
}
