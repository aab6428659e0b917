/** Whole stories, over HTTP, against the fake server: who writes, and what arrives. */
import { describe, expect, it } from "vitest";
import { requests, SARAH, server, tab, tellStories } from "../testing/stories.ts";
import { Browser } from "../testing/visitor.ts";

tellStories();

describe("a visitor nobody named", () => {
  it("gets a session when the window is first opened, and not before", async () => {
    const someone = tab();
    expect(requests("POST", /sessions/)).toEqual([]);

    await someone.opens();

    expect(someone.state.phase).toEqual({ name: "live", assurance: "anonymous", contact: null, actor: null, test: false, claimedEmail: null });
    expect(someone.state.greeting).toBe("Hi, how can I help you today?");
  });

  it("writes, and reads the answer", async () => {
    const someone = tab();
    await someone.opens();

    await someone.chat.send("How do returns work?");
    await someone.until(() => someone.words.length === 2);

    expect(someone.words).toEqual(["How do returns work?", server.talk.replies[0]]);
    expect(someone.told.map((t) => t.name)).toEqual(["conversation_started", "message_sent", "message_received"]);
  });

  it("may write before there is a session", async () => {
    const someone = tab();

    await someone.chat.send("hello");

    expect(someone.words[0]).toBe("hello");
  });

  it("is the same one after a reload, and finds the draft", async () => {
    const browser = new Browser();
    const before = tab(browser);
    await before.opens();
    await before.chat.send("hello");
    before.chat.compose("half a thought");
    before.close();

    const reloaded = tab(browser);
    await reloaded.opens();
    await reloaded.until(() => reloaded.words.includes("hello"));

    expect(reloaded.words[0]).toBe("hello");
    expect(reloaded.state.draft).toBe("half a thought");
  });

  it("goes on with a new session when the old one is gone", async () => {
    const someone = tab();
    await someone.opens();
    await someone.chat.send("one");
    server.trap("POST", /messages/, { status: 401, error: { code: "session_expired", message: "the session has expired" } });

    someone.chat.send("two").catch(() => undefined);
    await someone.until(() => someone.words.includes("two"));

    expect(someone.events("session_expired")).toEqual([]);
    expect(someone.words.filter((w) => w === "two")).toHaveLength(1);
  });
});

describe("a message", () => {
  it("that got no answer is sent again under the same id, and is there once", async () => {
    const someone = tab();
    await someone.opens();
    await someone.chat.send("one");
    server.trap("POST", /messages/, "drop");

    await someone.chat.send("two");

    const bodies = requests("POST", /messages/).map((s) => s.body);
    expect(bodies).toHaveLength(3);
    expect(bodies[1]).toEqual(bodies[2]);
    expect(someone.words.filter((w) => w === "two")).toHaveLength(1);
  });

  it("that was refused says why, and can be tried again", async () => {
    const someone = tab();
    await someone.opens();
    server.trap("POST", /messages/, { status: 422, error: { code: "bad_message", message: "the message is too long" } });

    await expect(someone.chat.send("x")).rejects.toMatchObject({ code: "bad_message" });
    const [failed] = someone.state.outbox;
    expect(failed).toMatchObject({ text: "x", state: "failed", problem: "the message is too long" });

    someone.chat.thread.retry(failed?.id ?? "");
    await someone.until(() => someone.state.outbox.length === 0);
    expect(someone.words[0]).toBe("x");
  });
});

describe("the stream", () => {
  it("held back on its way leaves history readable", async () => {
    const browser = new Browser();
    const before = tab(browser);
    await before.opens();
    await before.chat.send("hello");
    before.close();
    let release: () => void = () => undefined;
    server.trap("GET", /events/, () => new Promise((resolve) => (release = resolve)));

    const someone = tab(browser);
    await someone.opens();
    await someone.until(() => someone.words.includes("hello"));

    expect(someone.state.link).toBe("connecting");
    release();
  });

  it("comes back after a cut and misses nothing", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("one");
    await someone.until(() => someone.words.length === 2);

    server.cutStreams();
    server.say("sarah", "while you were away");
    await someone.until(() => someone.words.includes("while you were away"));

    expect(someone.words).toEqual(["one", server.talk.replies[0], "while you were away"]);
    expect(someone.state.entries.map((e) => e.number)).toEqual([1, 2, 3]);
  });

  it("brings what the same visitor writes elsewhere", async () => {
    const phone = tab();
    const laptop = tab();
    await phone.logsIn(SARAH);
    await laptop.logsIn(SARAH);

    await phone.chat.send("from the phone");
    await laptop.until(() => laptop.words.includes("from the phone"));

    await laptop.chat.send("from the laptop");
    await phone.until(() => phone.words.includes("from the laptop"));
    expect(phone.state.conversation?.id).toBe(laptop.state.conversation?.id);
  });

  it("tells of an Action when it starts and when it is done", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);

    await someone.chat.send("Where is my order?");
    await someone.until(() => someone.words.length === 2);

    expect(someone.events("action_started")).toMatchObject([{ action: "order_status" }]);
    expect(someone.events("action_finished")).toMatchObject([{ action: "order_status", outcome: "succeeded" }]);
  });
});

describe("a server that is away", () => {
  it("is tried again, and a token without a verdict is not lost", async () => {
    const someone = tab();
    for (let i = 0; i < 4; i++) server.trap("POST", /^\/v1\/sessions$/, { status: 503, error: { code: "keys_unavailable", message: "keys could not be fetched" } });

    await expect(someone.logsIn(SARAH)).rejects.toMatchObject({ code: "keys_unavailable" });
    expect(someone.phase).toBe("failed");

    someone.page = () => ({ kind: "none" });
    await someone.chat.identity.retry();
    expect(someone.state.greeting).toBe("Hi Sarah, how can I help you today?");
  });

  it("does not make a named visitor anonymous", async () => {
    const someone = tab();
    await someone.opens();
    for (let i = 0; i < 4; i++) server.trap("POST", /identity/, { status: 503, error: { code: "keys_unavailable", message: "keys could not be fetched" } });

    await expect(someone.logsIn(SARAH)).rejects.toMatchObject({ code: "keys_unavailable" });

    expect(someone.phase).toBe("failed");
  });

  it("says which origin is missing", async () => {
    const someone = tab();
    const error = { code: "origin_not_allowed", message: "this origin may not embed the agent", hint: "add https://shop.example" };
    server.trap("POST", /^\/v1\/sessions$/, { status: 403, error });

    await expect(someone.opens()).rejects.toMatchObject({ code: "origin_not_allowed" });

    expect(someone.events("error")).toEqual([error]);
  });
});
