import { describe, expect, it } from "vitest";
import { acceptPorts, HELLO, readToFrame } from "./channel.ts";

/** A window in a window, as far as the handshake looks at one. */
function frameIn(parent: unknown) {
  let hear: (event: unknown) => void = () => undefined;
  const accepted: [unknown, string][] = [];
  const frame = { parent, addEventListener: (_: string, listener: typeof hear) => (hear = listener) };
  acceptPorts(frame as unknown as Window, (port, origin) => accepted.push([port, origin]));
  return { frame, accepted, post: (event: object) => hear({ origin: "https://shop.example", ports: [], ...event }) };
}

describe("the handshake", () => {
  const page = { name: "the page" };
  const port = { name: "a port" };

  it("takes the port of the page around the frame, and that page's origin", () => {
    const { accepted, post } = frameIn(page);
    post({ source: page, data: HELLO, ports: [port] });
    expect(accepted).toEqual([[port, "https://shop.example"]]);
  });

  it.each([
    ["another window", { source: { name: "an advertisement" }, data: HELLO, ports: [port] }],
    ["no window", { source: null, data: HELLO, ports: [port] }],
    ["the page, without a port", { source: page, data: HELLO, ports: [] }],
    ["the page, with other words", { source: page, data: "hello", ports: [port] }],
    ["the page, with an object", { source: page, data: { maitred: HELLO }, ports: [port] }],
  ])("ignores %s", (_, event) => {
    const { accepted, post } = frameIn(page);
    post(event);
    expect(accepted).toEqual([]);
  });

  it("ignores everything when nobody embeds the frame", () => {
    const { frame, accepted, post } = frameIn(page);
    frame.parent = frame;
    post({ source: frame, data: HELLO, ports: [port] });
    expect(accepted).toEqual([]);
  });
});

describe("a message to the frame", () => {
  it.each([
    [{ type: "identify", id: 1 }],
    [{ type: "logout", id: 2 }],
    [{ type: "send", id: 3, text: "hello" }],
    [{ type: "prefill", text: "hello" }],
    [{ type: "shown", open: true }],
    [{ type: "set", locale: "ar", theme: "dark", context: { page: "/cart" } }],
    [{ type: "answer", id: 4, answer: { kind: "token", token: "a.b.c" } }],
    [{ type: "answer", id: 4, answer: { kind: "nobody" } }],
    [{ type: "answer", id: 4, answer: { kind: "none" } }],
    [{ type: "answer", id: 4, answer: { kind: "unavailable", message: "offline" } }],
  ])("is read: %j", (message) => {
    expect(readToFrame(message)).toEqual(message);
  });

  it.each([
    [null], ["identify"], [7], [[]], [{}],
    [{ type: "identify" }],
    [{ type: "send", id: 1 }],
    [{ type: "send", id: "1", text: "x" }],
    [{ type: "prefill", text: { words: "x" } }],
    [{ type: "answer", id: 1, answer: { kind: "token" } }],
    [{ type: "answer", id: 1, answer: { kind: "verified", contact: "cnt_1" } }],
    [{ type: "become", contact: "cnt_1" }],
  ])("does not exist: %j", (message) => {
    expect(readToFrame(message)).toBeNull();
  });

  it("loses what is not of its shape", () => {
    expect(readToFrame({ type: "set", locale: 3, theme: "pink", verified: true })).toEqual({ type: "set" });
  });
});
