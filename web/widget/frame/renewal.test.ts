/** Whole stories, over HTTP, against the fake server: how a session goes on, and how it ends (S2). */
import { describe, expect, it } from "vitest";
import { requests, SARAH, server, tab, tellStories, TOM } from "../testing/stories.ts";

tellStories();

describe("a token that runs out, S2", () => {
  it("is renewed before it does, and the visitor notices nothing", async () => {
    server.renewsAfter = 1;
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    await someone.until(() => someone.words.length === 2);
    someone.seen.length = 0;

    await expect.poll(() => someone.asked.length).toBeGreaterThan(3);

    expect(new Set(someone.asked)).toEqual(new Set(["start", "renew"]));
    expect(someone.seen.every((state) => state.phase.name === "live" && state.entries.length === 2), "at every moment").toBe(true);
    expect(requests("GET", /events/), "one stream for all of it").toHaveLength(1);
    expect(server.sessions).toHaveLength(1);
  });

  it("is asked for once more when the page has a hiccup", async () => {
    server.renewsAfter = 1;
    const someone = tab();
    await someone.logsIn(SARAH);
    let hiccups = 1;
    someone.page = () => (hiccups-- > 0 ? { kind: "unavailable", message: "getToken failed: 502" } : { kind: "token", token: SARAH });
    someone.seen.length = 0;

    await expect.poll(() => requests("POST", /session\/identity/).length).toBeGreaterThan(0);

    expect(someone.seen.every((state) => state.phase.name === "live")).toBe(true);
    expect(someone.events("identify_failed")).toEqual([]);
  });

  it("locks the chat when the page cannot say who is there, twice", async () => {
    server.renewsAfter = 1;
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    const asked: string[] = [];
    someone.page = (reason) => {
      asked.push(reason);
      return { kind: "unavailable", message: "getToken failed: 502" };
    };

    await someone.until(() => someone.phase === "expired");

    expect(someone.words).toEqual([]);
    expect(asked).toEqual(["renew", "renew"]);
    expect(someone.events("identify_failed")).toMatchObject([{ code: "token_unavailable" }]);
    await expect.poll(() => server.sessions).toEqual([]);
  });

  it("is tried again later when it is the server that is away", async () => {
    server.renewsAfter = 1;
    const someone = tab();
    await someone.logsIn(SARAH);
    for (let i = 0; i < 4; i++) server.trap("POST", /identity/, { status: 503, error: { code: "keys_unavailable", message: "keys could not be fetched" } });

    await expect.poll(() => requests("POST", /session\/identity/).length).toBeGreaterThan(4);

    expect(someone.phase).toBe("live");
    expect(someone.events("identify_failed")).toMatchObject([{ code: "keys_unavailable" }]);
  });

  it("waits for the network: a page that cannot ask its server has not said that nobody is there", async () => {
    server.renewsAfter = 1;
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    await someone.until(() => someone.words.length === 2);
    someone.asked.length = 0;
    let turns = 0;
    someone.page = () => ({ kind: "unavailable", message: "getToken failed: no network" });

    someone.chat.store.dispatch({ type: "online", online: false });
    await expect.poll(() => ++turns, { interval: 20 }).toBeGreaterThan(20);
    expect([someone.phase, someone.asked]).toEqual(["live", []]);
    someone.page = () => ({ kind: "token", token: SARAH });
    someone.chat.store.dispatch({ type: "online", online: true });

    await expect.poll(() => someone.asked).toContain("renew");
    expect(someone.phase).toBe("live");
    expect(someone.events("identify_failed")).toEqual([]);
  });

  it("is tried once more when the network is back, where the page could not say who is there", async () => {
    server.renewsAfter = 1;
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    await someone.until(() => someone.words.length === 2);
    someone.page = () => ({ kind: "unavailable", message: "getToken failed: no network" });
    await someone.until(() => someone.phase === "expired");
    someone.page = () => ({ kind: "token", token: SARAH });

    await someone.chat.identity.connected();

    await someone.until(() => someone.phase === "live" && someone.words.length === 2);
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
    expect(someone.events("session_expired")).toEqual([]);
  });

  it("sends the message that met it, once, after signing in again", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("one");
    server.trap("POST", /messages/, { status: 401, error: { code: "session_expired", message: "the session has expired" } });

    someone.chat.send("two").catch(() => undefined);
    await someone.until(() => someone.words.includes("two"));

    expect(someone.words.filter((w) => w === "two")).toHaveLength(1);
    expect(requests("POST", /messages/).slice(1).map((s) => s.body["id"])).toHaveLength(2);
    expect(someone.events("session_expired")).toEqual([]);
  });

  it("sends every request that met it once more, and no other, S2", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.send("one");
    const { visit } = someone.chat.identity;
    const before = server.seen.length;
    const OURS = "?limit=7";
    server.lose("sarah");

    const answers = await Promise.all([1, 2, 3].map(() => visit?.json<{ items: unknown[] }>("GET", `/v1/conversations${OURS}`)));

    expect(answers.map((answer) => answer?.items.length)).toEqual([1, 1, 1]);
    const now = someone.chat.identity.visit?.session;
    // The widget reads the list by itself, too.
    const asked = server.seen.slice(before).filter((s) => s.query === OURS);
    expect(asked.filter((s) => s.session === now)).toHaveLength(3);
    expect(asked.length).toBeLessThanOrEqual(6);
    expect(someone.asked, "the page was asked once").toEqual(["start", "unauthorized"]);
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
    await expect.poll(() => server.streams).toBe(1);
    someone.page = () => ({ kind: "none" });

    server.revoke("sarah");
    await someone.until(() => someone.phase === "expired");
    await someone.opens();

    expect(someone.phase).toBe("expired");
    await expect.poll(() => someone.events("session_expired")).toEqual([{ code: "session_revoked" }]);
  });

  it("is a logout when the page says that nobody is logged in", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    someone.page = () => ({ kind: "nobody" });

    server.revoke("sarah");
    await someone.until(() => someone.phase === "idle");

    expect([someone.events("logout").length, someone.events("session_expired").length]).toEqual([1, 0]);
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
