/** Whole stories, over HTTP, against the fake server. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeServer } from "../testing/fake.ts";
import { Browser, Tab } from "../testing/visitor.ts";

const SARAH = "token:sarah:Sarah Miller";
const TOM = "token:tom:Tom";

let server: FakeServer;
let base: string;
let tabs: Tab[];

const tab = (browser?: Browser, channel?: ReturnType<typeof crypto.randomUUID>): Tab => {
  const made = new Tab(base, browser, channel);
  tabs.push(made);
  return made;
};
const requests = (method: string, path: RegExp) => server.seen.filter((s) => s.method === method && path.test(s.path));

beforeEach(async () => {
  // Waiting between tries is part of the story, its length is not.
  const { setTimeout: later } = globalThis;
  vi.stubGlobal("setTimeout", (run: () => void, ms = 0, ...rest: []) => later(run, ms / 50, ...rest));
  server = new FakeServer();
  base = await server.listen();
  tabs = [];
});

afterEach(async () => {
  vi.unstubAllGlobals();
  for (const made of tabs) made.close();
  await server.close();
});

describe("a visitor nobody named", () => {
  it("gets a session when the window is first opened, and not before", async () => {
    const someone = tab();
    expect(requests("POST", /sessions/)).toEqual([]);

    await someone.opens();

    expect(someone.state.phase).toEqual({ name: "live", assurance: "anonymous", contact: null });
    expect(someone.state.greeting).toBe("Hi, how can I help you today?");
  });

  it("writes, and reads the answer", async () => {
    const someone = tab();
    await someone.opens();

    await someone.chat.send("How do returns work?");
    await someone.until(() => someone.words.length === 2);

    expect(someone.words).toEqual(["How do returns work?", server.replies[0]]);
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
    await reloaded.until(() => reloaded.words.length > 0);

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

    expect(someone.words).toEqual(["one", server.replies[0], "while you were away"]);
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

describe("a named visitor", () => {
  it("is greeted by name, before anybody opens the window", async () => {
    const someone = tab();

    const standing = await someone.logsIn(SARAH);

    expect(standing).toEqual({ assurance: "verified", contact: { id: "cnt_sarah", name: "Sarah Miller" } });
    expect(someone.state.greeting).toBe("Hi Sarah, how can I help you today?");
    expect(someone.events("identified")).toHaveLength(1);
  });

  it("leaves nothing in storage", async () => {
    const browser = new Browser();
    const someone = tab(browser);
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    someone.chat.compose("half a thought");

    expect([...browser.stored]).toEqual([]);
  });

  it("is whom the page named last, however late it is with the first", async () => {
    const someone = tab();
    let answer: (value: { kind: "token"; token: string }) => void = () => undefined;
    someone.page = () => new Promise((resolve) => (answer = resolve));
    const first = someone.chat.hear({ type: "identify", id: 1 });

    await someone.logsIn(TOM);
    answer({ kind: "token", token: SARAH });

    await expect(first).rejects.toMatchObject({ name: "Over" });
    expect(someone.state.greeting).toBe("Hi Tom, how can I help you today?");
  });

  it("keeps the conversation begun before signing in", async () => {
    const browser = new Browser();
    const someone = tab(browser);
    await someone.opens();
    await someone.chat.send("hello");
    await someone.until(() => someone.words.length === 2);
    someone.seen.length = 0;

    await someone.logsIn(SARAH);
    await someone.until(() => someone.state.entries.length === 3);

    expect(someone.state.entries.at(-1)).toMatchObject({ kind: "status", status: "continued_from_before_sign_in" });
    expect(someone.seen.every((state) => state.entries.length >= 2), "never off the screen").toBe(true);
    expect(requests("POST", /^\/v1\/sessions$/), "no other session was made").toHaveLength(1);
    expect([...browser.stored]).toEqual([]);
  });

  it("can say that it was not theirs", async () => {
    const someone = tab();
    await someone.opens();
    await someone.chat.send("hello");
    await someone.logsIn(SARAH);

    await someone.chat.thread.notMine();

    expect([someone.words, someone.state.conversation]).toEqual([[], null]);
    expect(requests("POST", /not-mine/)).toHaveLength(1);
  });

  it("loses no message that crosses with the sign-in", async () => {
    const someone = tab();
    await someone.opens();
    await someone.chat.send("one");
    // The message waits at the server until the old session is gone.
    let release: () => void = () => undefined;
    server.trap("POST", /messages/, () => new Promise((resolve) => (release = resolve)));

    const crossing = someone.chat.send("two");
    const signing = someone.logsIn(SARAH).then(() => release());
    await Promise.all([crossing, signing]);

    expect(someone.words.filter((w) => w === "two")).toHaveLength(1);
    expect(someone.phase).toBe("live");
  });
});

describe("a token that is refused", () => {
  it.each([
    ["expired:", "token_expired"],
    ["forged:", "invalid_token"],
  ])("locks the chat: %s", async (token, code) => {
    const someone = tab();
    await someone.opens();
    await someone.chat.send("before");

    await expect(someone.logsIn(token)).rejects.toMatchObject({ code });

    expect([someone.phase, someone.words]).toEqual(["refused", []]);
    expect(someone.events("identify_failed")).toMatchObject([{ code }]);
    await someone.opens();
    expect(someone.phase, "never silently anonymous").toBe("refused");
  });

  it("ends a verified session that was open", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");

    await expect(someone.logsIn("expired:")).rejects.toMatchObject({ code: "token_expired" });

    expect([someone.phase, someone.words, someone.state.greeting]).toEqual(["refused", [], ""]);
    await expect.poll(() => server.sessions).toEqual([]);
  });

  it("is forgiven when the page says that nobody is logged in", async () => {
    const someone = tab();
    await someone.opens();
    await someone.logsIn("expired:").catch(() => undefined);

    someone.page = () => ({ kind: "nobody" });
    await someone.chat.identity.retry();

    expect(someone.state.phase).toMatchObject({ name: "live", assurance: "anonymous" });
  });

  it("stays refused when there is nobody to ask again", async () => {
    const someone = tab();
    await someone.opens();
    await someone.logsIn("expired:").catch(() => undefined);

    someone.page = () => ({ kind: "none" });
    await someone.chat.identity.retry();

    expect(someone.phase).not.toBe("live");
    expect(server.seen.at(-1)?.path).not.toBe("/v1/sessions");
  });

  it("is not what it is when the page cannot say", async () => {
    const someone = tab();
    await someone.opens();
    someone.page = () => ({ kind: "unavailable", message: "getToken failed: 500" });

    await expect(someone.chat.hear({ type: "identify", id: 1 })).rejects.toMatchObject({ code: "token_unavailable" });

    expect(someone.phase).toBe("refused");
    expect(someone.events("identify_failed")).toMatchObject([{ code: "token_unavailable" }]);
  });
});

describe("another visitor", () => {
  it("sees nothing of the first, at any moment", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("Sarah's secret");
    someone.chat.compose("Sarah's draft");
    const [first] = server.sessions;
    someone.seen.length = 0;

    await someone.logsIn(TOM);

    const afterwards = someone.seen.slice(someone.seen.findIndex((s) => s.phase.name === "idle"));
    expect(JSON.stringify(afterwards)).not.toContain("Sarah");
    expect(someone.events("identify_failed")).toMatchObject([{ code: "identity_mismatch" }]);
    expect(someone.state.greeting).toBe("Hi Tom, how can I help you today?");
    await expect.poll(() => server.sessions.includes(first ?? "")).toBe(false);
  });

  it("is not asked for before the first is gone from the screen", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("Sarah's secret");
    let shown: readonly string[] = ["not asked"];
    server.trap("POST", /^\/v1\/sessions$/, async () => {
      shown = [...someone.words, someone.state.greeting];
    });

    await someone.logsIn(TOM);

    expect(shown).toEqual([""]);
  });
});

describe("a session that ended", () => {
  it("locks at once, and opens again when the page has a new token", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    await someone.until(() => someone.words.length === 2);
    someone.chat.compose("half a thought");
    let answer: (value: { kind: "token"; token: string }) => void = () => undefined;
    someone.page = () => new Promise((resolve) => (answer = resolve));

    server.revoke("sarah");
    await someone.until(() => someone.phase === "renewing");
    expect([someone.words, someone.state.draft, someone.state.greeting]).toEqual([[], "", ""]);

    await expect.poll(() => someone.asked).toEqual(["start", "unauthorized"]);
    answer({ kind: "token", token: SARAH });
    await someone.until(() => someone.words.length === 2);
    expect(someone.state.draft).toBe("half a thought");
    expect(someone.events("session_expired")).toMatchObject([{ code: "session_revoked" }]);
  });

  it("sends the message that met it, once, after signing in again", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("one");
    server.trap("POST", /messages/, { status: 401, error: { code: "session_expired", message: "the session has expired" } });

    someone.chat.send("two").catch(() => undefined);
    await someone.until(() => someone.words.includes("two"));

    expect(someone.words.filter((w) => w === "two")).toHaveLength(1);
    expect(someone.events("session_expired")).toHaveLength(1);
  });

  it("gives nothing to the next visitor", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("one");
    someone.chat.compose("half a thought");
    someone.page = () => ({ kind: "token", token: TOM });

    server.revoke("sarah");
    await someone.until(() => someone.phase === "live" && someone.state.greeting.includes("Tom"));

    expect([someone.words, someone.state.draft, someone.state.conversation, someone.state.held]).toEqual([[], "", null, null]);
  });

  it("ends in front of a locked door when the page cannot help", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    someone.page = () => ({ kind: "none" });

    server.revoke("sarah");
    await someone.until(() => someone.phase === "expired");
    await someone.opens();

    expect(someone.phase).toBe("expired");
  });

  it("asks the page once in a while, not for ever", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    server.revoke("sarah");
    await someone.until(() => someone.phase === "renewing");
    await someone.until(() => someone.phase === "live");

    server.revoke("sarah");
    await someone.until(() => someone.phase === "expired");

    expect(someone.asked).toEqual(["start", "unauthorized"]);
  });
});

describe("leaving", () => {
  it("takes everything along", async () => {
    const browser = new Browser();
    const someone = tab(browser);
    await someone.logsIn(SARAH);
    await someone.chat.send("Sarah's secret");
    someone.seen.length = 0;

    await someone.chat.hear({ type: "logout", id: 1 });

    expect(JSON.stringify(someone.seen)).not.toContain("Sarah");
    expect(server.sessions).toEqual([]);
    expect([someone.phase, [...browser.stored]]).toEqual(["idle", []]);
    expect(someone.events("logout")).toHaveLength(1);
  });

  it("makes the next visitor a new one", async () => {
    const browser = new Browser();
    const someone = tab(browser);
    await someone.opens();
    await someone.chat.send("hello");
    const before = browser.stored.get("maitred:agt_fake:production:visitor");

    await someone.chat.hear({ type: "logout", id: 1 });
    await someone.until(() => someone.phase === "live");

    expect(someone.words).toEqual([]);
    expect(browser.stored.get("maitred:agt_fake:production:visitor")).not.toBe(before);
  });

  it("is told to other tabs, which show nothing and ask their page", async () => {
    const channel = crypto.randomUUID();
    const here = tab(new Browser(), channel);
    const there = tab(new Browser(), channel);
    await here.logsIn(SARAH);
    await there.logsIn(SARAH);
    await there.opens();
    await there.chat.send("Sarah's secret");
    there.page = () => ({ kind: "nobody" });
    there.seen.length = 0;

    await here.chat.hear({ type: "logout", id: 1 });
    await there.until(() => there.phase === "live");

    // The news takes a moment; from then on nothing is seen.
    const afterwards = there.seen.slice(there.seen.findIndex((s) => s.phase.name === "idle"));
    expect(JSON.stringify(afterwards)).not.toContain("Sarah");
    expect(there.asked).toEqual(["start", "unauthorized"]);
    expect(there.state.phase).toMatchObject({ assurance: "anonymous" });
    expect(there.events("logout")).toHaveLength(1);
  });

  it("does not disturb another visitor in another tab", async () => {
    const channel = crypto.randomUUID();
    const here = tab(new Browser(), channel);
    const there = tab(new Browser(), channel);
    const witness = tab(new Browser(), channel);
    await here.logsIn(SARAH);
    await there.logsIn(TOM);
    await witness.logsIn(SARAH);
    here.page = () => ({ kind: "nobody" });

    await here.chat.hear({ type: "identify", id: 2 });
    await witness.until(() => witness.phase !== "live");

    expect(there.state.greeting).toBe("Hi Tom, how can I help you today?");
  });

  it("voids what is under way", async () => {
    const someone = tab();
    let release: () => void = () => undefined;
    server.trap("POST", /^\/v1\/sessions$/, () => new Promise((resolve) => (release = resolve)));
    const signing = someone.logsIn(SARAH);
    await expect.poll(() => requests("POST", /sessions/)).toHaveLength(1);

    const leaving = someone.chat.hear({ type: "logout", id: 1 });
    release();

    await expect(signing).rejects.toMatchObject({ name: "Over" });
    await leaving;
    expect([someone.phase, server.sessions]).toEqual(["idle", []]);
    expect(someone.events("identified")).toEqual([]);
  });

  it("is what `null` means, in a session of somebody", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    someone.page = () => ({ kind: "nobody" });

    await someone.chat.hear({ type: "identify", id: 2 });

    expect([someone.phase, someone.words]).toEqual(["idle", []]);
    await expect.poll(() => server.sessions).toEqual([]);
  });
});

describe("a page from the back/forward cache", () => {
  it("goes on when the same visitor is still logged in", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");

    await someone.chat.identity.recheck();

    expect([someone.phase, someone.words[0]]).toEqual(["live", "hello"]);
    expect(requests("POST", /session\/identity/)).toHaveLength(1);
  });

  it.each([["nobody", "idle"], ["none", "expired"], ["unavailable", "refused"]] as const)("shows nothing when the page says %s", async (kind, phase) => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    someone.page = () => (kind === "unavailable" ? { kind, message: "" } : { kind });

    await someone.chat.identity.recheck();

    expect([someone.phase, someone.words]).toEqual([phase, []]);
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
