import { describe, expect, it } from "vitest";
import { Parser, type Told } from "./stream.ts";

const text = [
  ": heartbeat\n\n",
  "event: hello\nid: ab12:0\ndata: {}\n\n",
  "event:entry\r\nid: ab12:1\r\ndata: {\"text\":\"Grüße 👋\"}\r\n\r\n",
  "data: two\rdata:  lines\r\r",
  "event: delta\ndata: {\"text\":\" a\"}\n\n",
  "retry: 10\nid\nunknown: x\n\n",
  "event: nothing\n\n",
  "event: cut\ndata: never closed\n",
].join("");

const expected: Told[] = [
  { event: "hello", id: "ab12:0", data: "{}" },
  { event: "entry", id: "ab12:1", data: '{"text":"Grüße 👋"}' },
  { event: "message", id: undefined, data: "two\n lines" },
  { event: "delta", id: undefined, data: '{"text":" a"}' },
];

/** Bytes as they would come, so that characters are cut too. */
function parsed(chunks: readonly Uint8Array[]): Told[] {
  const parser = new Parser();
  const decoder = new TextDecoder();
  return chunks.flatMap((chunk) => parser.push(decoder.decode(chunk, { stream: true })));
}

describe("the stream parser", () => {
  const bytes = new TextEncoder().encode(text);

  it("reads a stream that comes whole", () => {
    expect(parsed([bytes])).toEqual(expected);
  });

  it("reads the same at every cut", () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(parsed([bytes.slice(0, cut), bytes.slice(cut)]), `cut at ${cut}`).toEqual(expected);
    }
  });

  it("reads the same byte by byte", () => {
    expect(parsed(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(expected);
  });
});
