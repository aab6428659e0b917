import { describe, expect, it } from "vitest";
import type { Conversation, MessageEntry } from "../../protocol/index.ts";
import { listed, marked, readTo, unreadIn, withAll, withRecord, withWords, type Known } from "./records.ts";

const at = (seconds: number, fraction = "") => `2026-01-01T00:00:0${seconds}${fraction}Z`;
const record = (more: Partial<Conversation> = {}): Conversation => ({
  id: "cnv_1", title: null, opened_at: at(0), updated_at: at(0), closed_at: null, last_message: null, from_before_sign_in: false, read_to: 0, unread: 0, rating: null, ...more,
});
const said = (seconds: number, by: MessageEntry["by"] = "agent"): Partial<Conversation> => ({ updated_at: at(seconds), last_message: { by, text: `at ${seconds}`, at: at(seconds) } });
const entry = (number: number, more: Partial<MessageEntry> = {}): MessageEntry => ({
  id: `msg_${number}`, conversation: "cnv_1", number, at: at(number), kind: "message", by: "agent", text: `at ${number}`, ...more,
});
const knowing = (...records: readonly Conversation[]): Known => records.reduce(withRecord, { records: {}, marks: {} });

describe("a list that was read before, and arrives after", () => {
  it("does not take back what was said meanwhile", () => {
    const known = withWords(knowing(record({ ...said(1), unread: 1 })), entry(2), false);

    const then = withRecord(known, record({ ...said(1), unread: 1, title: "Shoes" }));

    expect(then.records["cnv_1"]).toMatchObject({ unread: 2, title: "Shoes", last_message: { text: "at 2" }, updated_at: at(2) });
  });

  it("has counted what the stream tells of later", () => {
    const known = knowing(record({ ...said(2), unread: 2 }));
    expect(withWords(known, entry(2), false).records["cnv_1"]?.unread).toBe(2);
  });

  it("does not make unread what was read here", () => {
    const read = readTo(knowing(record({ ...said(2), unread: 2 })), "cnv_1", 2);
    expect([unreadIn(read.records), read.marks]).toEqual([0, { cnv_1: 2 }]);

    const then = withRecord(read, record({ ...said(2), unread: 2 }));

    expect([unreadIn(then.records), then.marks]).toEqual([0, { cnv_1: 2 }]);
  });
});

it("marks never go back", () => {
  const read = marked(readTo(knowing(record({ ...said(3), unread: 1, read_to: 2 })), "cnv_1", 3), "cnv_1", 3);
  const known = readTo(read, "cnv_1", 1);
  expect([known.records["cnv_1"]?.read_to, known.marks]).toEqual([3, {}]);
  expect(withRecord(known, record({ ...said(3), read_to: 2, unread: 1 })).records["cnv_1"]?.read_to).toBe(3);
});

it("times compare by what they say, however many digits they have", () => {
  const known = knowing(record({ ...said(1), last_message: { by: "agent", text: "x", at: at(1, ".5") } }));
  const unread = (time: string) => withWords(known, entry(2, { at: time }), false).records["cnv_1"]?.unread;
  expect([unread(at(1, ".50")), unread(at(1, ".499999")), unread(at(1)), unread(at(1, ".500001"))]).toEqual([0, 0, 0, 1]);
});

it("what is no message counts for nothing, and what the visitor said is read", () => {
  const known = knowing(record());
  const status = { id: "ent_1", conversation: "cnv_1", number: 1, at: at(1), kind: "status" as const, status: "closed", text: "Ended" };
  expect(withWords(known, status, false)).toBe(known);
  expect(withWords(known, entry(1, { by: "visitor" }), false).records["cnv_1"]).toMatchObject({ unread: 0, last_message: { by: "visitor" } });
});

it("the latest come first, those that have ended last, and empty ones not at all", () => {
  const all = [
    record({ id: "old", ...said(1) }), record({ id: "new", ...said(3) }), record({ id: "empty" }),
    record({ id: "ended late", ...said(4), closed_at: at(5) }), record({ id: "ended early", ...said(2), closed_at: at(5) }),
  ];
  expect(listed(knowing(...all).records).map(({ id }) => id)).toEqual(["new", "old", "ended late", "ended early"]);
});

it("what a whole list leaves out is gone, but for what is on screen", () => {
  const known = readTo(knowing(record({ id: "a", unread: 1 }), record({ id: "b", unread: 1 }), record({ id: "c" })), "a", 5);
  const { records, marks } = withAll(known, [record({ id: "c" }), record({ id: "d" })], "b");
  expect([Object.keys(records).toSorted(), marks]).toEqual([["b", "c", "d"], {}]);
});
