/** Whole stories, over HTTP, against the fake server: every request is signed (S4). */
import { describe, expect, it, vi } from "vitest";
import { requests, SARAH, server, tab, tellStories, TOM } from "../testing/stories.ts";
import { Browser } from "../testing/visitor.ts";

tellStories();

describe("the proof key, S4", () => {
  const proofs = () => server.seen.filter((s) => s.path !== "/v1/agents/agt_fake/production").map((s) => s.proof);
  const keyOf = (proof: string | null) => JSON.stringify(JSON.parse(atob(proof?.split(".")[0]?.replaceAll("-", "+").replaceAll("_", "/") ?? "")).jwk);

  it("signs every request, the stream as well, each with a proof of its own", async () => {
    const someone = tab();
    await someone.opens();
    await someone.chat.send("hello");
    await someone.logsIn(SARAH);
    await someone.chat.shelf.load();
    await someone.chat.hear({ type: "logout", id: 1 });

    const all = proofs();
    expect(all.filter((proof) => proof === null)).toEqual([]);
    expect(new Set(all).size).toBe(all.length);
    expect(new Set(server.seen.map((s) => s.path))).toContain("/v1/events");
  });

  it("is one for all tabs, made once however many begin together", async () => {
    const browser = new Browser();
    const tabs = [1, 2, 3, 4].map(() => tab(browser));

    await Promise.all(tabs.map((each) => each.logsIn(SARAH)));

    expect(new Set(proofs().map(keyOf)).size).toBe(1);
  });

  it("lets the anonymous visitor come back, and nobody who only has their secret", async () => {
    const browser = new Browser();
    const before = tab(browser);
    await before.opens();
    await before.chat.send("hello");
    before.close();
    const thief = new Browser();
    for (const [name, value] of browser.stored) thief.stored.set(name, value);

    const stolen = tab(thief);
    await stolen.opens();
    const back = tab(browser);
    await back.opens();
    await back.until(() => back.words.includes("hello"));

    expect([stolen.words, stolen.state.conversation]).toEqual([[], null]);
  });

  it("is kept in memory where the browser keeps nothing", async () => {
    const someone = tab(new Browser("blocked"));
    await someone.opens();

    await someone.chat.send("hello");
    await someone.logsIn(SARAH);

    expect(new Set(proofs().map(keyOf)).size).toBe(1);
    expect(someone.words[0]).toBe("hello");
  });

  it("is another one for the next visitor", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.chat.hear({ type: "logout", id: 1 });

    await someone.logsIn(TOM);
    await someone.logsIn(SARAH);

    expect(new Set(requests("POST", /^\/v1\/sessions$/).map((s) => JSON.stringify(s.body["key"]))).size).toBe(3);
  });

  it("tries once more with the nonce that it is given", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    server.proofs.turn();

    await Promise.all([someone.chat.send("one"), someone.chat.shelf.load()]);

    expect(someone.words[0]).toBe("one");
    expect(someone.phase).toBe("live");
    expect(requests("POST", /messages/)).toHaveLength(1);
  });

  it("that is not believed ends in front of a locked door, not in a circle", async () => {
    const someone = tab();
    await someone.logsIn(SARAH);
    await someone.until(() => someone.state.listed);
    for (let i = 0; i < 2; i++) server.trap("GET", /conversations/, { status: 401, error: { code: "invalid_proof", message: "the proof was not accepted" } });
    someone.page = () => ({ kind: "none" });

    await someone.chat.shelf.load().catch(() => undefined);

    expect(someone.phase).toBe("expired");
    expect(someone.events("session_expired")).toEqual([{ code: "invalid_proof" }]);
  });

  it("is left out where the agent wants none", async () => {
    server.open.proof_of_possession = "off";
    const someone = tab();
    someone.chat.store.dispatch({ type: "agent", agent: server.public });

    await someone.logsIn(SARAH);

    expect(new Set(proofs())).toEqual(new Set([null]));
  });

  it("is missing without a secure context: the chat goes on, unless the agent requires it", async () => {
    vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
    const someone = tab(undefined, "insecure");
    await someone.logsIn(SARAH);
    await someone.chat.send("hello");
    expect([someone.phase, new Set(proofs())]).toEqual(["live", new Set([null])]);
    server.open.proof_of_possession = "required";

    const other = tab(undefined, "insecure too");
    await expect(other.logsIn(SARAH)).rejects.toMatchObject({ code: "secure_context_needed" });

    expect(other.state.phase).toMatchObject({ name: "failed", code: "secure_context_needed" });
    expect(other.events("identify_failed")).toMatchObject([{ code: "secure_context_needed", hint: "serve the page over https" }]);
    const stranger = tab(undefined, "insecure as well");
    await stranger.opens().catch(() => undefined);
    expect(stranger.events("error")).toMatchObject([{ code: "secure_context_needed" }]);
  });
});
