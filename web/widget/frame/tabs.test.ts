/** Whole stories, over HTTP, against the fake server: what tabs of one browser tell each other (S3). */
import { describe, expect, it } from "vitest";
import { SARAH, server, tab, tellStories, TOM } from "../testing/stories.ts";
import { Browser } from "../testing/visitor.ts";

tellStories();

describe("another visitor in another tab, S3", () => {
  it("locks this one until its page has said who is there", async () => {
    const channel = crypto.randomUUID();
    const here = tab(new Browser(), channel);
    const there = tab(new Browser(), channel);
    await here.logsIn(SARAH);
    await here.chat.send("Sarah's secret");
    const [first] = server.sessions;
    let answer: (value: { kind: "token"; token: string }) => void = () => undefined;
    here.page = () => new Promise((resolve) => (answer = resolve));

    await there.logsIn(TOM);

    await here.until(() => here.phase === "renewing");
    expect([here.words, here.state.greeting]).toEqual([[], ""]);
    await expect.poll(() => server.sessions.includes(first ?? "")).toBe(false);
    await expect.poll(() => here.asked).toEqual(["start", "unauthorized"]);
    answer({ kind: "token", token: TOM });
    await here.until(() => here.phase === "live");
    expect([here.words, here.state.greeting, here.state.held]).toEqual([[], "Hi Tom, how can I help you today?", null]);
  });

  it("goes on as the first one where each tab has its own, without end or quarrel", async () => {
    const channel = crypto.randomUUID();
    const here = tab(new Browser(), channel);
    await here.logsIn(SARAH);
    await here.chat.send("Sarah's words");
    here.chat.compose("half a thought");
    const there = tab(new Browser(), channel);

    await there.logsIn(TOM);
    await here.until(() => here.phase === "renewing");
    await here.until(() => here.words.includes("Sarah's words"));

    expect(here.state.draft).toBe("half a thought");
    expect([here.asked, there.asked]).toEqual([["start", "unauthorized"], ["start"]]);
  });

  it("brings along a tab whose visitor was anonymous, or had not come yet", async () => {
    const channel = crypto.randomUUID();
    const [anonymous, idle, there] = [tab(new Browser(), channel), tab(new Browser(), channel), tab(new Browser(), channel)];
    await anonymous.opens();
    anonymous.page = idle.page = () => ({ kind: "token", token: SARAH });

    await there.logsIn(SARAH);
    for (const each of [anonymous, idle]) await each.until(() => each.state.greeting.includes("Sarah"));

    expect([anonymous.asked, idle.asked, there.asked]).toEqual([["unauthorized"], ["unauthorized"], ["start"]]);
  });

  it("leaves an anonymous visitor alone whose page names nobody", async () => {
    const channel = crypto.randomUUID();
    const here = tab(new Browser(), channel);
    const there = tab(new Browser(), channel);
    await here.opens();
    await here.chat.send("hello");
    here.seen.length = 0;

    await there.logsIn(SARAH);
    await expect.poll(() => here.asked).toEqual(["unauthorized"]);
    await here.chat.identity.recheck();

    expect(here.seen.every((state) => state.phase.name === "connecting" || state.entries.length > 0)).toBe(true);
    expect(here.state.phase).toMatchObject({ name: "live", contact: null });
  });

  it("who comes back opens the chat in a tab where it was locked", async () => {
    const channel = crypto.randomUUID();
    const here = tab(new Browser(), channel);
    const there = tab(new Browser(), channel);
    await here.logsIn(SARAH);
    await here.chat.send("Sarah's words");
    here.page = () => ({ kind: "none" });
    server.revoke("sarah");
    await here.until(() => here.phase === "expired");
    here.page = () => ({ kind: "token", token: SARAH });

    await there.logsIn(SARAH);

    await here.until(() => here.words.includes("Sarah's words"));
  });

  it("may be nobody: then this one's page is asked, too", async () => {
    const channel = crypto.randomUUID();
    const here = tab(new Browser(), channel);
    const there = tab(new Browser(), channel);
    await here.logsIn(SARAH);
    here.page = there.page = () => ({ kind: "nobody" });

    await there.chat.hear({ type: "identify", id: 1 });
    await here.until(() => here.phase === "idle");

    expect(here.events("logout")).toHaveLength(1);
    await expect.poll(() => server.sessions).toEqual([]);
  });
});
