/**
 * The visitor's conversations beside the one on screen, and what can be done with
 * them: the list, searching it, names, endings, ratings, transcripts.
 */
import type { Conversation, ConversationChanges, Found, Page as Items, Rating, TranscriptFormat } from "../../protocol/index.ts";
import { isPassing, Over, pause, persist, Refused } from "./api.ts";
import { listed } from "./records.ts";
import type { Store } from "./store.ts";
import type { Visit } from "./visit.ts";

/** So many conversations are asked for at once. */
const PAGE = 100;
/** And so many times: nobody looks through more. */
const PAGES = 5;
const TRIES = 3;
/** Who types is not searched for at every letter. */
const TYPES_FOR = 250;

/** What the server searches for. */
export const isSearch = (query: string): boolean => [...query.trim()].length >= 2;

/** A file for the visitor. */
export type Download = { readonly name: string; readonly content: Blob };

export class Shelf {
  #search = new AbortController();

  constructor(
    private readonly store: Store,
    private readonly visit: () => Visit | null,
  ) {}

  /** The open conversation in which something was last said. */
  get latest(): Conversation | undefined {
    return listed(this.store.state.records).find(({ closed_at }) => closed_at === null);
  }

  /** Reads all conversations anew. */
  async load(): Promise<void> {
    const visit = this.#here();
    const all: Conversation[] = [];
    let cursor: string | null = "";
    for (let page = 0; page < PAGES && cursor !== null; page++) {
      const path: string = `/v1/conversations?limit=${PAGE}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
      const { items, next }: Items<Conversation> = await persist(() => visit.json("GET", path), TRIES, visit.signal);
      all.push(...items);
      cursor = next;
    }
    this.store.dispatch({ type: "records", conversations: all });
  }

  /** Puts the list on screen. */
  async open(): Promise<void> {
    this.store.dispatch({ type: "list", open: true });
    try {
      await this.load();
    } catch (error) {
      this.store.dispatch({ type: "unlisted" });
      throw error;
    }
  }

  /** Searches the visitor's conversations, once they have stopped typing. */
  async search(query: string): Promise<void> {
    const { store } = this;
    this.#search.abort();
    const search = (this.#search = new AbortController());
    store.dispatch({ type: "searched", query });
    if (!isSearch(query)) return;
    try {
      await pause(TYPES_FOR, search.signal);
      const visit = this.#here();
      const path = `/v1/conversations?limit=${PAGE}&q=${encodeURIComponent(query.trim().slice(0, 200))}`;
      const { items } = await persist(() => visit.json<Items<Found>>("GET", path), TRIES, search.signal);
      store.dispatch({ type: "found", query, items });
    } catch (error) {
      if (error instanceof Over) return;
      // Nothing but accents, perhaps: it stands nowhere.
      if (error instanceof Refused && !isPassing(error)) return store.dispatch({ type: "found", query, items: [] });
      if (!search.signal.aborted) store.dispatch({ type: "unlisted" });
      throw error;
    }
  }

  /** The server says that something of a conversation has changed. */
  heard(conversation: Conversation): void {
    this.store.dispatch({ type: "record", conversation });
  }

  /** Reads the record of a conversation of which something was heard; gone, if it is not the visitor's. */
  async refetch(id: string): Promise<Conversation | null> {
    const visit = this.#here();
    try {
      const conversation = await persist(() => visit.json<Conversation>("GET", `/v1/conversations/${id}`), TRIES, visit.signal);
      this.store.dispatch({ type: "record", conversation });
      return conversation;
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      this.store.dispatch({ type: "gone", conversation: id });
      return null;
    }
  }

  async change(id: string, changes: ConversationChanges): Promise<void> {
    const conversation = await this.#here().json<Conversation>("PATCH", `/v1/conversations/${id}`, changes);
    this.store.dispatch({ type: "record", conversation });
  }

  /** Rates a conversation, or does so again. What was said before stays said. */
  async rate(id: string, score: number, comment: string | null): Promise<void> {
    const trimmed = comment?.trim().slice(0, 2000) ?? "";
    await this.#here().send("POST", `/v1/conversations/${id}/rating`, { body: { score, ...(trimmed !== "" && { comment: trimmed }) } });
    const conversation = this.store.state.records[id];
    const rating: Rating = { score, comment: trimmed === "" ? null : trimmed };
    if (conversation) this.store.dispatch({ type: "record", conversation: { ...conversation, rating } });
  }

  /** Everything that was said in a conversation, as a file. */
  async transcript(id: string, format: TranscriptFormat): Promise<Download> {
    const response = await this.#here().send("GET", `/v1/conversations/${id}/transcript?format=${format}`, {});
    const named = /filename="([^"/\\]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
    return { name: named ?? `conversation.${format === "json" ? "json" : "txt"}`, content: await response.blob() };
  }

  #here(): Visit {
    const visit = this.visit();
    if (!visit) throw new Over("the visitor has gone");
    return visit;
  }
}
