import { describe, expect, it } from "vitest";
import type { Agent, Contact, Conversation, MessageEntry, Opened } from "../../protocol/index.ts";
import { initial, isUnseen, liveOn, reduce, type Change, type State } from "./state.ts";

const agent: Agent = { id: "agt_1", environment: "production", name: "Ada", suggestions: [], sign_in_url: null, appearance: { accent: null, position: "right" } };
const sarah: Contact = { id: "cnt_sarah", name: "Sarah Miller" };
const tom: Contact = { id: "cnt_tom", name: "Tom" };

const conversation = (id: string, more: Partial<Conversation> = {}): Conversation => ({
  id, title: null, opened_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z", closed_at: null, last_message: null, from_before_sign_in: false,
  read_to: 0, unread: 0, rating: null, ...more,
});
const message = (number: number, by: MessageEntry["by"], more: Partial<MessageEntry> = {}): MessageEntry => ({
  id: `msg_${number}`, conversation: "cnv_1", number, at: `2026-01-01T00:00:00.0${number}Z`, kind: "message", by, text: `text ${number}`, ...more,
});
const opened = (contact: Contact | null, more: Partial<Opened> = {}): Opened => ({
  session: "mtd_session_x", expires_at: "2026-01-01T01:00:00Z", assurance: contact ? "verified" : "anonymous", greeting: contact ? `Hi ${contact.name}` : "Hi", agent,
  ...(contact && { contact }), ...more,
});
const after = (...changes: readonly Change[]): State => changes.reduce(reduce, initial);
const signedIn = (contact: Contact | null, more: Partial<Opened> = {}): Change => ({ type: "signed_in", opened: opened(contact, more) });
const chatting = (contact: Contact | null): Change[] => [
  signedIn(contact, { conversation: conversation("cnv_1", { read_to: 2, last_message: { by: "agent", text: "text 2", at: "2026-01-01T00:00:00.02Z" } }) }),
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

  it("fetched for a conversation that was left meanwhile are dropped", () => {
    const state = after(...chatting(null), { type: "conversation", conversation: conversation("cnv_2") }, { type: "entries", conversation: "cnv_1", entries: [message(9, "agent")], fresh: true });
    expect(state.entries).toEqual([]);
    expect(state.loaded).toBe(false);
  });
});

describe("the reply", () => {
  const delta = (text: string, reply = "msg_3"): Change => ({ type: "delta", conversation: "cnv_1", reply, text });

  it("grows with each delta and gives way to the whole entry", () => {
    const growing = after(...chatting(null), delta("Hel"), delta("lo"));
    expect(liveOn(growing).reply).toEqual({ id: "msg_3", text: "Hello", broken: false });

    const whole = reduce(growing, { type: "entry", entry: message(3, "agent", { text: "Hello" }), seen: true });
    expect(liveOn(whole).reply).toBeNull();
  });

  it("is broken once the stream was lost, and stays so", () => {
    const state = after(...chatting(null), delta("Hel"), { type: "link", link: "lost" }, { type: "link", link: "live" }, delta("world"));
    expect(liveOn(state).reply?.broken).toBe(true);
  });

  it("does not come back after its entry", () => {
    const state = after(...chatting(null), { type: "entry", entry: message(3, "agent"), seen: true }, delta("late"));
    expect(liveOn(state).reply).toBeNull();
  });

  it("of another conversation is kept beside, and there when that one is shown", () => {
    const state = after(...chatting(null), { type: "delta", conversation: "cnv_2", reply: "msg_9", text: "Hel" }, delta("here"));
    expect(liveOn(state).reply?.text).toBe("here");

    const there = [{ type: "conversation", conversation: conversation("cnv_2") }, { type: "delta", conversation: "cnv_2", reply: "msg_9", text: "lo" }] satisfies Change[];
    const shown = there.reduce(reduce, state);
    expect(liveOn(shown).reply).toEqual({ id: "msg_9", text: "Hello", broken: false });
    expect(liveOn(reduce(shown, { type: "entries", conversation: "cnv_2", entries: [], fresh: true })).reply?.broken).toBe(false);
  });

  it.each([["stopped", null], ["resumed", "late"]])("that was %s: what still comes of it", (status, then) => {
    const entry = { id: "ent_3", conversation: "cnv_1", number: 3, at: "", kind: "status" as const, status, text: "" };
    const state = after(...chatting(null), delta("Hel"), { type: "entry", entry, seen: true }, delta("late"));
    expect(liveOn(state).reply?.text ?? null).toBe(then);
  });

  it("ends when the turn was interrupted", () => {
    const entry = { id: "ent_3", conversation: "cnv_1", number: 3, at: "", kind: "status" as const, status: "interrupted", text: "Interrupted" };
    const state = after(...chatting(null), { type: "typing", conversation: "cnv_1", by: "agent", typing: true }, delta("Hel"), { type: "entry", entry, seen: true });
    expect([liveOn(state).reply, liveOn(state).typing]).toEqual([null, false]);
  });
});

describe("what is unread", () => {
  const saysElsewhere = (number: number, more: Partial<MessageEntry> = {}): Change => ({ type: "entry", entry: message(number, "agent", { conversation: "cnv_2", ...more }), seen: false });
  const both = (): Change[] => [...chatting(null), { type: "record", conversation: conversation("cnv_2", { read_to: 2, unread: 0 }) }];

  it("is counted over all conversations, whichever is on screen", () => {
    const state = after(...both(), { type: "entry", entry: message(3, "agent"), seen: false }, saysElsewhere(3), saysElsewhere(4));
    expect([state.unread, state.records["cnv_1"]?.unread, state.records["cnv_2"]?.unread, state.conversation?.unread]).toEqual([3, 1, 2, 1]);
    expect(state.entries.map((e) => e.number)).toEqual([1, 2, 3]);
    expect(state.records["cnv_2"]?.last_message).toEqual({ by: "agent", text: "text 4", at: "2026-01-01T00:00:00.04Z" });
  });

  it.each([
    ["the visitor's own", message(3, "visitor"), false, 0],
    ["the agent's, unseen", message(3, "agent"), false, 1],
    ["the agent's, seen", message(3, "agent"), true, 0],
    ["an operator's, unseen", message(3, "operator"), false, 1],
    ["a replayed one", message(2, "agent"), false, 0],
  ])("counts or not: %s", (_, entry, seen, unread) => {
    expect(after(...both(), { type: "entry", entry, seen }).unread).toBe(unread);
  });

  it("is not counted twice, however often it is told", () => {
    expect(after(...both(), saysElsewhere(3), saysElsewhere(3), { type: "link", link: "lost" }, saysElsewhere(3)).unread).toBe(1);
  });

  it("of a conversation that nobody knows here waits for its record", () => {
    const stranger = message(1, "agent", { conversation: "cnv_9" });
    const heard = after(...both(), { type: "entry", entry: stranger, seen: false });
    expect(heard.unread).toBe(0);
    expect(reduce(heard, { type: "record", conversation: conversation("cnv_9", { unread: 1 }) }).unread).toBe(1);
  });

  it("is read by opening the window, once somebody has looked", () => {
    const waiting = after(...both(), { type: "entry", entry: message(3, "agent"), seen: false });
    expect([isUnseen(waiting), isUnseen(reduce(waiting, { type: "shown", open: true }))]).toEqual([false, true]);

    const looked = [{ type: "shown", open: true }, { type: "looked" }] satisfies Change[];
    const state = looked.reduce(reduce, waiting);
    expect([state.unread, state.marks, isUnseen(state)]).toEqual([0, { cnv_1: 3 }, false]);
  });

  it("is not read behind the list, nor before it is loaded", () => {
    const open: Change = { type: "shown", open: true };
    const waiting = after(...both(), open, { type: "entry", entry: message(3, "agent"), seen: false });
    expect(isUnseen(reduce(waiting, { type: "list", open: true }))).toBe(false);
    expect(isUnseen(reduce(waiting, { type: "conversation", conversation: conversation("cnv_2", { unread: 2 }) }))).toBe(false);
  });

  it("goes down when another device has read it, and the mark is kept until the server knows", () => {
    const waiting = after(...both(), saysElsewhere(3), { type: "entry", entry: message(3, "agent"), seen: true });
    expect([waiting.unread, waiting.marks]).toEqual([1, { cnv_1: 3 }]);

    const read = reduce(waiting, { type: "record", conversation: conversation("cnv_2", { read_to: 3, unread: 0 }) });
    expect([read.unread, read.marks]).toEqual([0, { cnv_1: 3 }]);
    expect(reduce(read, { type: "marked", conversation: "cnv_1", upTo: 3 }).marks).toEqual({});
  });

  it("is all gone with the visitor", () => {
    for (const leaving of [{ type: "forgotten" }, { type: "locked", phase: { name: "renewing" } }] satisfies Change[]) {
      const state = after(...chatting(sarah), { type: "entry", entry: message(3, "agent"), seen: false }, leaving);
      expect([state.unread, state.records, state.marks, state.live]).toEqual([0, {}, {}, {}]);
    }
  });
});

describe("conversations", () => {
  it("change on screen when their record does, from whichever device", () => {
    const state = after(...chatting(sarah), { type: "record", conversation: conversation("cnv_1", { title: "Shoes", closed_at: "2026-01-02T00:00:00Z", read_to: 2 }) });
    expect([state.conversation?.title, state.conversation?.closed_at, state.entries.length]).toEqual(["Shoes", "2026-01-02T00:00:00Z", 2]);
  });

  it("that are gone leave the screen, with what went on in them", () => {
    const state = after(...chatting(sarah), { type: "typing", conversation: "cnv_1", by: "agent", typing: true }, { type: "gone", conversation: "cnv_1" });
    expect([state.conversation, state.entries, state.records, state.live]).toEqual([null, [], {}, {}]);
  });

  it("are all that the list says, and the one on screen", () => {
    const state = after(...chatting(sarah), { type: "record", conversation: conversation("cnv_2") }, { type: "records", conversations: [conversation("cnv_3", { unread: 4 })] });
    expect([Object.keys(state.records).toSorted(), state.listed, state.unread]).toEqual([["cnv_1", "cnv_3"], true, 4]);
  });

  it("elsewhere do not take the place of a blank page that was wanted", () => {
    expect(after(...chatting(sarah), { type: "conversation", conversation: null, blank: true }).blank).toBe(true);
    const state = after(signedIn(sarah), { type: "conversation", conversation: null, blank: true }, { type: "begun", conversation: conversation("cnv_1") });
    expect(state.blank).toBe(false);
  });

  it("typed in on another device say so, until something is sent there", () => {
    const typing = after(...chatting(sarah), { type: "typing", conversation: "cnv_1", by: "visitor", typing: true });
    expect([liveOn(typing).elsewhere, liveOn(typing).typing]).toEqual([true, false]);
    expect(liveOn(reduce(typing, { type: "entry", entry: message(3, "visitor"), seen: true })).elsewhere).toBe(false);
    expect(liveOn(reduce(typing, { type: "link", link: "lost" })).elsewhere).toBe(false);
  });
});

describe("the list", () => {
  const found = { ...conversation("cnv_1"), match: { number: 1, text: "text 1" } };
  const searching: Change[] = [...chatting(sarah), { type: "list", open: true }, { type: "searched", query: "text" }];

  it("shows what was found for what is searched now, and for nothing before", () => {
    expect(after(...searching, { type: "found", query: "tex", items: [found] }).list?.found).toBeNull();
    expect(after(...searching, { type: "found", query: "text", items: [found] }).list?.found).toEqual([found]);
    expect(after(...searching, { type: "found", query: "text", items: [found] }, { type: "searched", query: "texts" }).list?.found).toBeNull();
  });

  it("says that it could not be read, until it is asked for again", () => {
    const failed = after(...searching, { type: "unlisted" });
    expect([failed.list?.failed, reduce(failed, { type: "list", open: true }).list?.failed]).toEqual([true, false]);
  });

  it("gives way to what was picked, and remembers where it was found", () => {
    const state = after(...searching, { type: "conversation", conversation: found, sought: 1 });
    expect([state.list, state.sought, state.entries.length]).toEqual([null, 1, 2]);
  });
});

describe("a panel", () => {
  it("and the form for an address take each other's place", () => {
    const panel = { name: "rename" as const, busy: false, problem: null };
    const form = { step: "address" as const, email: "", busy: false, waits: false, problem: null };
    const state = after(...chatting(sarah), { type: "code", form }, { type: "panel", panel });
    expect([state.code, state.panel]).toEqual([null, panel]);
    expect(reduce(state, { type: "code", form }).panel).toBeNull();
    expect(reduce(state, { type: "locked", phase: { name: "expired" } }).panel).toBeNull();
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
  const shown = (state: State) => [state.entries.length, state.conversation?.id ?? null, state.outbox.length, state.draft, state.greeting, liveOn(state).reply];
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
