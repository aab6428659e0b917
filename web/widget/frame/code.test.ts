/** Whole stories, over HTTP, against the fake server: an address proven by a code (A3). */
import { describe, expect, it } from "vitest";
import { requests, SARAH, server, tab, tellStories } from "../testing/stories.ts";
import { Browser, type Tab } from "../testing/visitor.ts";

tellStories();

describe("an address proven by a code, A3", () => {
  const stranger = async () => {
    const someone = tab();
    await someone.opens();
    someone.chat.code.open();
    return someone;
  };
  const form = (someone: Tab) => someone.state.code;

  it("is known to the page, and to nobody's storage", async () => {
    const browser = new Browser();
    const someone = tab(browser);
    await someone.opens();
    someone.chat.code.open();

    await someone.chat.code.send(" sarah@example.com ");
    expect(form(someone)).toMatchObject({ step: "code", email: "sarah@example.com", busy: false, problem: null });
    await someone.chat.code.verify("246 810");

    expect([form(someone), someone.state.proven]).toEqual([null, "sarah@example.com"]);
    expect(someone.chat.identity.standing).toEqual({ assurance: "code", contact: null });
    expect([...browser.stored.values()].join()).not.toContain("sarah@");
    expect(requests("POST", /code/).map((s) => s.body)).toEqual([{ email: "sarah@example.com" }, { code: "246810" }]);
  });

  it("is the one that the site named and does not vouch for, T5", async () => {
    server.claimedEmail = "sarah@example.com";
    const sarah = tab();
    await sarah.logsIn(SARAH);
    sarah.chat.code.open();

    expect(form(sarah)).toMatchObject({ step: "address", email: "sarah@example.com" });
    await sarah.chat.code.send("sarah@example.com");
    await sarah.chat.code.verify("246810");

    expect([form(sarah), sarah.state.proven]).toEqual([null, "sarah@example.com"]);
    expect(sarah.chat.identity.standing).toMatchObject({ assurance: "verified" });
  });

  it("is not sent for when it can be none", async () => {
    const someone = await stranger();

    await someone.chat.code.send("sarah@example");

    expect(form(someone)).toMatchObject({ step: "address", problem: "This is not a complete email address." });
    expect(requests("POST", /code/)).toEqual([]);
  });

  it.each([
    [{ status: 401, error: { code: "wrong_code", message: "" } }, "That is not the code that we sent. Check it and try again."],
    [{ status: 401, error: { code: "code_expired", message: "" } }, "This code is no longer good. Send a new one."],
    [{ status: 429, error: { code: "rate_limited", message: "" } }, "No new code can be sent for now. Try again in a minute."],
  ])("is not proven by what the server refuses: %j", async (refusal, words) => {
    const someone = await stranger();
    await someone.chat.code.send("sarah@example.com");
    server.trap("POST", /verification/, refusal);

    await someone.chat.code.verify("111111");

    expect(form(someone)).toMatchObject({ step: "code", busy: false, problem: words });
    expect([someone.phase, someone.state.proven]).toEqual(["live", null]);
  });

  it("is asked for anew once every try was wrong", async () => {
    const someone = await stranger();
    await someone.chat.code.send("sarah@example.com");
    for (let number = 0; number < 2; number++) await someone.chat.code.verify("111111");
    expect(form(someone)?.problem).toBe("That is not the code that we sent. Check it and try again.");

    await someone.chat.code.verify("111111");
    expect(form(someone)?.problem).toBe("This code is no longer good. Send a new one.");

    await someone.chat.code.send("sarah@example.com");
    await someone.chat.code.verify("246810");
    expect(someone.state.proven).toBe("sarah@example.com");
  });

  it("may be asked for again after a while, when it was too often", async () => {
    const someone = await stranger();
    server.trap("POST", /code$/, { status: 429, error: { code: "rate_limited", message: "" } });

    await someone.chat.code.send("sarah@example.com");
    expect(form(someone)).toMatchObject({ step: "address", waits: true });

    await someone.until(() => form(someone)?.waits === false);
    expect(form(someone)?.problem).toBeNull();
  });

  it("may be another one at once: limits are for each address", async () => {
    const someone = await stranger();
    await someone.chat.code.send("sarah@example.com");
    server.trap("POST", /code$/, { status: 429, error: { code: "rate_limited", message: "" } });
    await someone.chat.code.send("sarah@example.com");

    someone.chat.code.mend();
    await someone.chat.code.send("miller@example.com");

    expect(form(someone)).toMatchObject({ step: "code", email: "miller@example.com", waits: false });
  });

  it("that comes too late does not open the form again", async () => {
    const someone = await stranger();
    let release: () => void = () => undefined;
    server.trap("POST", /code$/, () => new Promise((resolve) => (release = resolve)));
    const sending = someone.chat.code.send("sarah@example.com");
    await expect.poll(() => requests("POST", /code$/)).toHaveLength(1);

    someone.chat.code.close();
    someone.chat.code.open();
    release();
    await sending;

    expect(form(someone)).toMatchObject({ step: "address", email: "" });
  });

  it("is gone with the visitor", async () => {
    const someone = await stranger();
    await someone.chat.code.send("sarah@example.com");
    await someone.chat.code.verify("246810");

    await someone.chat.hear({ type: "logout", id: 1 });

    expect(someone.state.proven).toBeNull();
    expect(JSON.stringify(someone.state)).not.toContain("sarah");
  });
});
