/** The part of the FAKE that keeps conversations and answers in them. */
import { randomUUID } from "node:crypto";
import type { Contact, Conversation, ConversationChanges, Entry, Found } from "../../protocol/index.ts";

export type Owner = { name: string; proof?: string | null; contact: Contact | null; number: number; epoch: string; log: { id: string; event: string; data: unknown }[] };

type Thread = { owner: Owner; record: Conversation; entries: Entry[]; turn: { stopped: boolean } | null };

/** What streams are told: for good, or for the moment and not to `except`. */
export type Tell = (owner: Owner, event: string, data: unknown) => void;
export type Whisper = (owner: Owner, event: string, data: unknown, except?: string) => void;

/** The answer to a request: a status and a body, or a text to be downloaded. */
export type Reply = readonly [number, unknown?, Readonly<Record<string, string>>?];

const folded = (text: string) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

export class Talk {
  /** Words the next replies consist of; the last one repeats. */
  replies: string[] = ["You can send anything back within **30 days**, free of charge. See our returns page [1]."];
  /** Milliseconds between two pieces of a reply. */
  pace = 0;
  /** What a turn waits for after its first words. */
  holds: Promise<void> | null = null;
  #threads = new Map<string, Thread>();
  #count = 0;
  #now = Date.now();

  constructor(
    private readonly tell: Tell,
    private readonly whisper: Whisper,
    private readonly no: (status: number, code: string, message: string) => Error,
  ) {}

  /** Each thing happens at a time of its own. */
  #time(): string {
    this.#now = Math.max(this.#now + 1, Date.now());
    return new Date(this.#now).toISOString();
  }

  of(owner: Owner): Conversation[] {
    return [...this.#threads.values()].filter((t) => t.owner === owner && t.entries.length > 0).map((t) => t.record).toReversed();
  }

  /** The one to be resumed. */
  latest(owner: Owner): Conversation | undefined {
    return [...this.#threads.values()].findLast((t) => t.owner === owner && t.record.closed_at === null)?.record;
  }

  forget(owner: Owner): void {
    for (const [id, thread] of this.#threads) if (thread.owner === owner) this.#threads.delete(id);
  }

  /** Something an operator says, in the latest conversation or that one. */
  say(contact: string, text: string, conversation?: string): void {
    const thread = [...this.#threads.values()].findLast((t) => t.owner.contact?.id === contact && (conversation ?? t.record.id) === t.record.id);
    if (thread) this.#append(thread, { kind: "message", by: "operator", text });
  }

  /** An owner's open conversation, or else their latest, goes over to another. */
  move(from: Owner, to: Owner, open: string | undefined): void {
    const theirs = [...this.#threads.values()].filter((t) => t.owner === from);
    const thread = open === undefined ? theirs.at(-1) : theirs.find((t) => t.record.id === open);
    if (!thread || thread.entries.length === 0) return;
    thread.owner = to;
    thread.record = { ...thread.record, from_before_sign_in: true };
    this.#append(thread, { kind: "status", status: "continued_from_before_sign_in", text: "Continued from before you signed in" });
  }

  /** Requests below `/v1/conversations`. */
  answer(method: string, url: URL, owner: Owner, session: string, body: Readonly<Record<string, unknown>>): Reply {
    const [, , , id = "", rest = ""] = url.pathname.split("/");
    if (id === "") return method === "POST" ? [201, this.#begin(owner).record] : [200, this.#list(owner, url)];
    const thread = this.#threads.get(id);
    if (thread?.owner !== owner) throw this.no(404, "not_found", "no such conversation");
    switch (`${method} ${rest}`) {
      case "GET ":
        return [200, thread.record];
      case "PATCH ":
        return [200, this.#change(thread, body as ConversationChanges)];
      case "GET entries":
        return [200, this.#page(thread, url)];
      case "POST messages":
        return [202, this.#post(thread, String(body["id"]), String(body["text"]))];
      case "POST read":
        this.#read(thread, Number(body["up_to"]));
        return [204];
      case "POST rating":
        this.#changed(thread, { rating: { score: Number(body["score"]), comment: (body["comment"] as string) ?? null } });
        return [204];
      case "POST cancel":
        this.#stop(thread);
        return [204];
      case "POST typing":
        this.whisper(owner, "typing", { conversation: id, by: "visitor", typing: body["typing"] }, session);
        return [204];
      case "GET transcript":
        return this.#transcript(thread, url.searchParams.get("format") ?? "text");
      case "POST not-mine":
        this.#threads.delete(id);
        owner.epoch = randomUUID().slice(0, 8);
        this.tell(owner, "resync", {});
        return [204];
      default:
        throw this.no(404, "not_found", "no such page");
    }
  }

  #list(owner: Owner, url: URL) {
    const { searchParams } = url;
    const wanted = searchParams.get("q");
    const [limit, from] = [Number(searchParams.get("limit") ?? 20), Number(searchParams.get("cursor") ?? 0)];
    const all = wanted === null ? this.of(owner) : this.#found(owner, folded(wanted));
    return { items: all.slice(from, from + limit), next: all.length > from + limit ? String(from + limit) : null };
  }

  #found(owner: Owner, wanted: string): Found[] {
    return this.of(owner).flatMap((record) => {
      const hit = this.#threads.get(record.id)?.entries.find((e) => e.kind === "message" && folded(e.text).includes(wanted));
      const match = hit?.kind === "message" ? { number: hit.number, text: hit.text.slice(0, 120) } : null;
      return match || folded(record.title ?? "").includes(wanted) ? [{ ...record, match }] : [];
    });
  }

  #page(thread: Thread, url: URL) {
    const limit = Number(url.searchParams.get("limit") ?? 20);
    const later = thread.entries.filter((e) => e.number > Number(url.searchParams.get("after") ?? 0));
    return { items: later.slice(0, limit), next: later.length > limit ? "more" : null };
  }

  #transcript(thread: Thread, format: string): Reply {
    const text = format === "json" ? JSON.stringify(thread.entries) : thread.entries.map((e) => (e.kind === "message" ? `${e.by}: ${e.text}` : "")).join("\n");
    const name = `conversation-2026-11-24.${format === "json" ? "json" : "txt"}`;
    return [200, text, { "content-type": "application/octet-stream", "content-disposition": `attachment; filename="${name}"` }];
  }

  #begin(owner: Owner): Thread {
    const [now, id] = [this.#time(), `cnv_${++this.#count}`];
    const record: Conversation = {
      id, title: null, opened_at: now, updated_at: now, closed_at: null, last_message: null, from_before_sign_in: false, read_to: 0, unread: 0, rating: null,
    };
    const thread: Thread = { owner, record, entries: [], turn: null };
    this.#threads.set(id, thread);
    return thread;
  }

  #changed(thread: Thread, changes: Partial<Conversation>): Conversation {
    thread.record = { ...thread.record, ...changes };
    this.tell(thread.owner, "status", thread.record);
    return thread.record;
  }

  #change(thread: Thread, { title, closed }: ConversationChanges): Conversation {
    if (closed === true && thread.record.closed_at === null) {
      this.#stop(thread);
      this.#append(thread, { kind: "status", status: "closed", text: "This conversation was ended." });
    }
    if (closed === false && thread.record.closed_at !== null) this.#append(thread, { kind: "status", status: "reopened", text: "Opened again." });
    return this.#changed(thread, {
      ...(title !== undefined && { title: title ?? this.#automatic(thread) }),
      ...(closed !== undefined && { closed_at: closed ? (thread.record.closed_at ?? this.#time()) : null }),
    });
  }

  #automatic({ entries }: Thread): string | null {
    const first = entries.find((e) => e.kind === "message");
    return first?.kind === "message" ? first.text.slice(0, 60) : null;
  }

  #read(thread: Thread, upTo: number): void {
    const { record, entries } = thread;
    const read_to = Math.min(upTo, entries.length);
    if (read_to > record.read_to) this.#changed(thread, { read_to, unread: this.#unread(entries, read_to) });
  }

  #unread(entries: readonly Entry[], after: number): number {
    return entries.filter((e) => e.kind === "message" && e.by !== "visitor" && e.number > after).length;
  }

  #stop(thread: Thread): void {
    if (!thread.turn) return;
    thread.turn.stopped = true;
    thread.turn = null;
    this.#append(thread, { kind: "status", status: "stopped", text: "You stopped this answer." });
    this.whisper(thread.owner, "typing", { conversation: thread.record.id, by: "agent", typing: false });
  }

  #append(thread: Thread, fields: Readonly<Record<string, unknown>> & { kind: string }): Entry {
    const at = this.#time();
    const entry = { id: `msg_${++this.#count}`, conversation: thread.record.id, number: thread.entries.length + 1, at, ...fields } as unknown as Entry;
    thread.entries.push(entry);
    if (entry.kind === "message") {
      const { by, text } = entry;
      const unread = this.#unread(thread.entries, thread.record.read_to);
      thread.record = { ...thread.record, title: thread.record.title ?? this.#automatic(thread), updated_at: at, last_message: { by, text, at }, unread };
    }
    this.tell(thread.owner, "entry", entry);
    return entry;
  }

  #post(thread: Thread, id: string, text: string): { entry: Entry; duplicate: boolean } {
    const known = thread.entries.find((e) => e.kind === "message" && e.client_id === id);
    if (known) return { entry: known, duplicate: true };
    if (thread.record.closed_at !== null) this.#change(thread, { closed: false });
    const entry = this.#append(thread, { kind: "message", by: "visitor", text, client_id: id });
    void this.#turn(thread, text);
    return { entry, duplicate: false };
  }

  async #turn(thread: Thread, text: string): Promise<void> {
    const conversation = thread.record.id;
    const turn = (thread.turn = { stopped: false });
    const wait = () => new Promise((resolve) => setTimeout(resolve, this.pace));
    this.whisper(thread.owner, "typing", { conversation, by: "agent", typing: true });
    await wait();
    if (/order/i.test(text)) await this.#lookUp(thread, wait);
    const reply = `msg_${++this.#count}`;
    const words = (this.replies.length > 1 ? this.replies.shift() : this.replies[0]) ?? "";
    for (const piece of words.match(/\S+\s*/g) ?? []) {
      if (turn.stopped) return;
      this.whisper(thread.owner, "delta", { conversation, reply, text: piece });
      await (this.holds ?? wait());
    }
    if (turn.stopped) return;
    thread.turn = null;
    const citations = words.includes("[1]") ? [{ number: 1, title: "Returns and refunds", url: "https://shop.example/help/returns" }] : [];
    this.#append(thread, { kind: "message", id: reply, by: "agent", text: words, citations });
    this.whisper(thread.owner, "typing", { conversation, by: "agent", typing: false });
  }

  async #lookUp(thread: Thread, wait: () => Promise<unknown>): Promise<void> {
    const call = `call_${++this.#count}`;
    const about = { kind: "call", call, action: "order_status" };
    this.#append(thread, { ...about, phase: "started", label: "Looking up your orders…", details: [["Order number", "A-10001"]] });
    await wait();
    const details = [["Status", "On its way, arrives Thursday"]];
    this.#append(thread, { ...about, phase: "finished", label: "Looked up your orders", outcome: "succeeded", details });
  }
}
