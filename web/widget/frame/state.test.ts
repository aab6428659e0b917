import { describe, expect, it } from "vitest";
import type { Agent, CallEntry, Contact, Conversation, MessageEntry, Opened } from "../../protocol/index.ts";
import { initial, reduce, type Change, type State } from "./state.ts";

const agent: Agent = { id: "agt_1", environment: "production", name: "Ada", suggestions: [], sign_in_url: null, appearance: { accent: null, position: "right" } };
const sarah: Contact = { id: "cnt_sarah", name: "Sarah Miller" };
const tom: Contact = { id: "cnt_tom", name: "Tom" };

const conversation = (id: string): Conversation => ({
  id, title: null, opened_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z", closed_at: null, last_message: null, from_before_sign_in: false,
});
const message = (number: number, by: MessageEntry["by"], more: Partial<MessageEntry> = {}): MessageEntry => ({
  id: `msg_${number}`, conversation: "cnv_1", number, at: "2026-01-01T00:00:00Z", kind: "message", by, text: `text ${number}`, ...more,
});
const call = (number: number, phase: CallEntry["phase"]): CallEntry => ({
  id: `ent_${number}`, conversation: "cnv_1", number, at: "2026-01-01T00:00:00Z", kind: "call", call: "call_1", action: "order_status", phase, label: phase,
});
const opened = (contact: Contact | null, more: Partial<Opened> = {}): Opened => ({
  session: "mtd_session_x", expires_at: "2026-01-01T01:00:00Z", assurance: contact ? "verified" : "anonymous", greeting: contact ? `Hi ${contact.name}` : "Hi", agent,
  ...(contact && { contact }), ...more,
});
const after = (...changes: readonly Change[]): State => changes.reduce(reduce, initial);
const signedIn = (contact: Contact | null, more: Partial<Opened> = {}): Change => ({ type: "signed_in", opened: opened(contact, more) });
const chatting = (contact: Contact | null): Change[] => [
  signedIn(contact, { conversation: conversation("cnv_1") }),
  { type: "entries", conversation: "cnv_1", entries: [message(1, "visitor"), message(2, "agent")], fresh: true },
];

describe("entries", () => {
  it("are kept in order and once, whatever order they come in", () => {
    const state = after(
      ...chatting(null),
      { type: "entry", entry: message(4, "agent"), seen: true },
      { type: "entry", entry: message(3, "visitor"), seen: true },
      { type: "entry", entry: message(4, "agent"), seen: true },
      { type: "entries", conversation: "cnv_1", entries: [message(2, "agent"), message(3, "visitor")], fresh: false },
    );
    expect(state.entries.map((e) => e.number)).toEqual([1, 2, 3, 4]);
  });

  it("of another conversation are not shown, but counted as unread", () => {
    const state = after(...chatting(null), { type: "entry", entry: message(3, "agent", { conversation: "cnv_2" }), seen: false });
    expect(state.entries.map((e) => e.number)).toEqual([1, 2]);
    expect(state.unread).toBe(1);
  });

  it("fetched for a conversation that was left meanwhile are dropped", () => {
    const state = after(...chatting(null), { type: "conversation", conversation: conversation("cnv_2") }, { type: "entries", conversation: "cnv_1", entries: [message(9, "agent")], fresh: true });
    expect(state.entries).toEqual([]);
    expect(state.loaded).toBe(false);
  });

  it.each([
    ["the visitor's own", message(3, "visitor"), false, 0],
    ["the agent's, unseen", message(3, "agent"), false, 1],
    ["the agent's, seen", message(3, "agent"), true, 0],
    ["an operator's, unseen", message(3, "operator"), false, 1],
    ["a replayed one", message(2, "agent"), false, 0],
    ["a call", call(3, "started"), false, 0],
  ])("count as unread or not: %s", (_, entry, seen, unread) => {
    expect(after(...chatting(null), { type: "entry", entry, seen }).unread).toBe(unread);
  });

  it("opening the window makes everything read", () => {
    expect(after(...chatting(null), { type: "entry", entry: message(3, "agent"), seen: false }, { type: "shown", open: true }).unread).toBe(0);
  });
});

describe("the reply", () => {
  const delta = (text: string, reply = "msg_3"): Change => ({ type: "delta", conversation: "cnv_1", reply, text });

  it("grows with each delta and gives way to the whole entry", () => {
    const growing = after(...chatting(null), delta("Hel"), delta("lo"));
    expect(growing.reply).toEqual({ id: "msg_3", text: "Hello", broken: false });

    const whole = reduce(growing, { type: "entry", entry: message(3, "agent", { text: "Hello" }), seen: true });
    expect(whole.reply).toBeNull();
  });

  it("is broken once the stream was lost, and stays so", () => {
    const state = after(...chatting(null), delta("Hel"), { type: "link", link: "lost" }, { type: "link", link: "live" }, delta("world"));
    expect(state.reply?.broken).toBe(true);
  });

  it("does not come back after its entry", () => {
    const state = after(...chatting(null), { type: "entry", entry: message(3, "agent"), seen: true }, delta("late"));
    expect(state.reply).toBeNull();
  });

  it("of another conversation is not shown", () => {
    expect(after(...chatting(null), { type: "delta", conversation: "cnv_2", reply: "msg_9", text: "x" }).reply).toBeNull();
  });

  it("ends when the turn was interrupted", () => {
    const entry = { id: "ent_3", conversation: "cnv_1", number: 3, at: "", kind: "status" as const, status: "interrupted", text: "Interrupted" };
    const state = after(...chatting(null), { type: "typing", conversation: "cnv_1", typing: true }, delta("Hel"), { type: "entry", entry, seen: true });
    expect([state.reply, state.typing]).toEqual([null, false]);
  });
});

describe("the outbox", () => {
  const queued: Change = { type: "queued", outgoing: { id: "u1", text: "hello", state: "sending" } };

  it("loses a message when its entry is there", () => {
    const state = after(...chatting(null), queued, { type: "entry", entry: message(3, "visitor", { client_id: "u1" }), seen: true });
    expect(state.outbox).toEqual([]);
    expect(state.entries).toHaveLength(3);
  });

  it("keeps a message that failed, with the reason, until it is tried again", () => {
    const failed = after(...chatting(null), queued, { type: "failed", id: "u1", problem: "no connection" });
    expect(failed.outbox).toEqual([{ id: "u1", text: "hello", state: "failed", problem: "no connection" }]);

    expect(reduce(failed, { type: "retried", id: "u1" }).outbox).toEqual([{ id: "u1", text: "hello", state: "sending" }]);
  });

  it("keeps a first message while its conversation is made", () => {
    const state = after(signedIn(null), queued, { type: "begun", conversation: conversation("cnv_1") });
    expect([state.outbox.length, state.loaded]).toEqual([1, true]);
  });
});

describe("who is there", () => {
  const shown = (state: State) => [state.entries.length, state.conversation?.id ?? null, state.outbox.length, state.draft, state.greeting, state.reply];
  const nothing = [0, null, 0, "", "", null];

  it("a lock takes everything off the screen", () => {
    const state = after(...chatting(sarah), { type: "composed", text: "half a thought" }, { type: "locked", phase: { name: "renewing" } });
    expect(shown(state)).toEqual(nothing);
  });

  it("what was begun comes back to the same visitor", () => {
    const state = after(
      ...chatting(sarah),
      { type: "composed", text: "half a thought" },
      { type: "queued", outgoing: { id: "u1", text: "sent while expiring", state: "sending" } },
      { type: "locked", phase: { name: "renewing" } },
      { type: "locked", phase: { name: "expired" } },
      signedIn(sarah, { conversation: conversation("cnv_1") }),
    );
    expect([state.draft, state.outbox.length, state.conversation?.id]).toEqual(["half a thought", 1, "cnv_1"]);
  });

  it.each([["another visitor", tom], ["an anonymous visitor", null]])("and to nobody else: %s", (_, next) => {
    const state = after(
      ...chatting(sarah),
      { type: "composed", text: "half a thought" },
      { type: "queued", outgoing: { id: "u1", text: "secret", state: "sending" } },
      { type: "locked", phase: { name: "renewing" } },
      signedIn(next),
    );
    expect([state.draft, state.outbox, state.conversation, state.entries, state.held]).toEqual(["", [], null, [], null]);
  });

  it("what was written before there was a session is the first visitor's", () => {
    const state = after(
      { type: "connecting", named: false },
      { type: "queued", outgoing: { id: "u1", text: "early", state: "sending" } },
      { type: "composed", text: "and more" },
      { type: "locked", phase: { name: "idle" } },
      signedIn(null),
    );
    expect([state.outbox.length, state.draft]).toEqual([1, "and more"]);
  });

  it("forgetting leaves nothing, held or shown", () => {
    const state = after(...chatting(sarah), { type: "composed", text: "x" }, { type: "locked", phase: { name: "expired" } }, { type: "forgotten" });
    expect(shown(state)).toEqual(nothing);
    expect(state.held).toBeNull();
  });

  it("signing in keeps the conversation on screen when the server moved it", () => {
    const state = after(...chatting(null), signedIn(sarah, { conversation: conversation("cnv_1") }));
    expect(state.entries).toHaveLength(2);
    expect(state.greeting).toBe("Hi Sarah Miller");
  });

  it("signing in takes the conversation off screen when the server did not", () => {
    const state = after(...chatting(null), signedIn(sarah, { conversation: conversation("cnv_old") }));
    expect([state.entries, state.conversation?.id]).toEqual([[], "cnv_old"]);
  });

  it("a renewal changes nothing on screen", () => {
    const before = after(...chatting(sarah), { type: "composed", text: "typing" });
    const state = reduce(before, signedIn(sarah, { conversation: conversation("cnv_1") }));
    expect(shown(state)).toEqual(shown(before));
  });
});
