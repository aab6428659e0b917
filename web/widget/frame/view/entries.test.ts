import { expect, it } from "vitest";
import type { CallEntry, Entry, MessageEntry } from "../../../protocol/index.ts";
import { folded } from "./entries.tsx";

const common = { conversation: "cnv_1", at: "2026-01-01T00:00:00Z" };
const said: MessageEntry = { ...common, id: "msg_1", number: 1, kind: "message", by: "visitor", text: "Where is my order?" };
const started: CallEntry = { ...common, id: "msg_2", number: 2, kind: "call", call: "call_1", action: "order_status", phase: "started", label: "Looking up…", details: [["Order number", "A-1"]] };
const other: CallEntry = { ...started, id: "msg_3", number: 3, call: "call_2" };
const finished: CallEntry = { ...started, id: "msg_4", number: 4, phase: "finished", label: "Looked up", outcome: "succeeded", details: [["Status", "Sent"]] };

it("one call is one line, where it began, with everything that was said of it", () => {
  const lines: Entry[] = folded([said, started, other, finished]);

  expect(lines).toEqual([said, { ...finished, details: [["Order number", "A-1"], ["Status", "Sent"]] }, other]);
});
