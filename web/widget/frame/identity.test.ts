/** Whole stories, over HTTP, against the fake server: who comes, and who leaves. */
import { describe, expect, it } from "vitest";
import { requests, SARAH, server, tab, tellStories, TOM } from "../testing/stories.ts";
import { Browser } from "../testing/visitor.ts";

tellStories();

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

  it("keeps the one that is open, and no later one, M1", async () => {
    const someone = tab();
    await someone.opens();
    await someone.chat.send("one");
    const first = someone.state.conversation;
    await someone.chat.thread.show(null);
    await someone.chat.send("two");
    await someone.chat.thread.show(first);

    await someone.logsIn(SARAH);
    await someone.until(() => someone.state.entries.some((e) => e.kind === "status"));

    expect([someone.state.conversation?.id, someone.words[0]]).toEqual([first?.id, "one"]);
    expect(requests("POST", /session\/identity/)[0]?.body["conversation"]).toBe(first?.id);
    await someone.logsIn(SARAH);
    expect(requests("POST", /session\/identity/)[1]?.body, "a renewal moves nothing").toEqual({ token: SARAH });
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

describe("a token that is good once, T9", () => {
  const spent = { status: 401, error: { code: "token_replayed", message: "the token was used before" } };

  it("is followed by another when the answer to it got lost", async () => {
    const someone = tab();
    server.trap("POST", /^\/v1\/sessions$/, spent);

    const standing = await someone.logsIn(SARAH);

    expect(standing).toMatchObject({ assurance: "verified" });
    expect(someone.asked).toEqual(["start", "unauthorized"]);
    expect(someone.events("identify_failed")).toEqual([]);
  });

  it("is refused when the page gives it again and again", async () => {
    const someone = tab();
    for (let i = 0; i < 2; i++) server.trap("POST", /^\/v1\/sessions$/, spent);

    await expect(someone.logsIn(SARAH)).rejects.toMatchObject({ code: "token_replayed" });

    expect([someone.phase, someone.asked]).toEqual(["refused", ["start", "unauthorized"]]);
    expect(someone.events("identify_failed")).toMatchObject([{ code: "token_replayed" }]);
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
    await here.logsIn(SARAH);
    const there = tab(new Browser(), channel);
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

  it("makes another tab's page say again who is there, and takes nobody else along", async () => {
    const channel = crypto.randomUUID();
    const here = tab(new Browser(), channel);
    const there = tab(new Browser(), channel);
    const witness = tab(new Browser(), channel);
    await here.logsIn(SARAH);
    await witness.logsIn(SARAH);
    await there.logsIn(TOM);
    await there.chat.send("Tom's words");
    here.page = witness.page = () => ({ kind: "nobody" });

    await here.chat.hear({ type: "identify", id: 2 });
    await witness.until(() => witness.phase === "idle");

    await there.until(() => there.words.includes("Tom's words"));
    expect(there.state.greeting).toBe("Hi Tom, how can I help you today?");
    expect(there.events("logout")).toEqual([]);
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
