// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { describe, expect, it } from "vitest";
import type { Entry } from "../../protocol/index.ts";
import { agent, button, conversation, done, happens, onScreen, root, sarah, says, shows, signsIn } from "../testing/screen.tsx";
import type { Change, CodeForm, Phase } from "./state.ts";

const known = { ...agent, greeting: "Hi", enforcement: "optional" };

onScreen();

describe("what others wrote", () => {
  const hostile = '<img src=x onerror=alert(1)><script>alert(2)</script> <b style="color:red">x</b> ![p](https://evil.example/p.gif) [x](javascript:alert(3))';

  it.each(["visitor", "agent", "operator"] as const)("never becomes markup: %s", async (by) => {
    await happens(signsIn(sarah), shows(says(by, hostile)));

    expect(root.querySelectorAll(".thread :is(img, script, iframe, style, b, object, [style], [onerror])")).toHaveLength(0);
    expect(root.textContent).toContain("<script>alert(2)</script>");
    for (const link of root.querySelectorAll(".bubble a")) expect(link.getAttribute("href")).toBe("https://evil.example/p.gif");
  });

  it("links away, apart from this frame and telling it nothing", async () => {
    await happens(signsIn(sarah), shows(says("agent", "[shop](https://shop.example/)")));

    const link = root.querySelector(".bubble a");
    expect([link?.getAttribute("rel"), link?.getAttribute("target")]).toEqual(["noopener noreferrer nofollow", "_blank"]);
  });

  it("cites sources that can be opened, and only those", async () => {
    const citations = [{ number: 1, title: "Returns", url: "https://shop.example/returns" }, { number: 2, title: "Trap", url: "javascript:alert(1)" }];
    await happens(signsIn(sarah), shows(says("agent", "See [1], [2] and [3].", { citations })));

    expect([...root.querySelectorAll("a.cite")].map((a) => a.getAttribute("href"))).toEqual(Array(2).fill("https://shop.example/returns"));
    expect(root.querySelector("[data-by] .bubble")?.textContent).toContain("[3]");
  });

  it("is not a link to sign in unless it is a safe one", async () => {
    await happens(signsIn(null, { ...agent, sign_in_url: "javascript:alert(1)" }));
    expect(root.querySelector("a")).toBeNull();
  });
});

describe("a locked chat", () => {
  it.each([
    [{ name: "renewing" }, "Signing you in again…"],
    [{ name: "expired" }, "Your session has ended"],
    [{ name: "refused", code: "token_expired", message: "" }, "We could not confirm who you are"],
    [{ name: "refused", code: "token_revoked", message: "" }, "You are signed out of this chat"],
    [{ name: "failed", code: "unreachable", message: "" }, "The chat is not available"],
    [{ name: "failed", code: "secure_context_needed", message: "" }, "This page is not secure"],
    [{ name: "sign_in" }, "Sign in to chat"],
  ] satisfies [Phase, string][])("shows why, and nothing of the visitor: %j", async (phase, words) => {
    await happens(signsIn(sarah), shows(says("visitor", "a secret")), { type: "composed", text: "half a thought" });

    await happens({ type: "locked", phase });

    expect(root.textContent).toContain(words);
    expect(root.innerText + root.textContent).not.toMatch(/secret|thought|Sarah/);
    expect(root.querySelector("textarea")).toBeNull();
  });

  it("offers the site's sign-in and another try", async () => {
    await happens(signsIn(sarah), { type: "locked", phase: { name: "expired" } });

    expect(root.querySelector("a.button")?.getAttribute("href")).toBe("https://shop.example/login");
    button("Try again")?.click();
    expect(done).toEqual(["retryIdentity"]);
  });
});

describe("proving an address by a code, A3", () => {
  const codes: Change = { type: "agent", agent: { ...known, codes: true } };
  const form = (changes: Partial<CodeForm> = {}): Change => ({
    type: "code", form: { step: "address", email: "", busy: false, waits: false, problem: null, ...changes },
  });
  const field = () => root.querySelector<HTMLInputElement>("[data-code] input");
  const submit = () => root.querySelector("[data-code]")?.dispatchEvent(new Event("submit", { cancelable: true }));

  it("is offered to who is not signed in, where the agent sends codes", async () => {
    await happens(codes, signsIn(null));
    await act(() => button("Menu")?.click());
    await act(() => button("Confirm your email address")?.click());
    expect(done).toEqual(["openCode"]);

    await happens(signsIn(sarah));
    await act(() => button("Menu")?.click());
    expect(button("Confirm your email address")).toBeUndefined();
  });

  it("is offered for the address that the site does not vouch for, and for no other, T5", async () => {
    const opened = { session: "s", expires_at: "", assurance: "verified" as const, contact: sarah, claimed_email: "sarah@example.com", greeting: "Hi Sarah", agent };
    await happens({ type: "signed_in", opened }, codes);
    await act(() => button("Menu")?.click());
    await act(() => button("Confirm your email address")?.click());
    expect(done).toEqual(["openCode"]);

    await happens(form({ email: "sarah@example.com" }));
    expect([field()?.value, field()?.readOnly]).toEqual(["sarah@example.com", true]);
    await happens(form({ step: "code", email: "sarah@example.com" }));
    expect([field()?.readOnly, button("Use another address")]).toEqual([false, undefined]);

    await happens({ type: "proven", assurance: "verified", email: "sarah@example.com" });
    await act(() => button("Menu")?.click());
    expect(button("Confirm your email address")).toBeUndefined();
    await happens({ type: "lapsed" });
    expect(root.querySelector("[data-verified]")).not.toBeNull();
    expect(button("Confirm your email address")).toBeDefined();
  });

  it("is offered where the agent asks for it, and nowhere else", async () => {
    const asks = shows(says("agent", "Please [confirm it](#confirm-email), or [x](#anything)."));
    await happens(signsIn(null), { type: "conversation", conversation }, asks);
    expect([root.querySelectorAll(".md button, .md a").length, root.textContent?.includes("Please confirm it,")]).toEqual([0, true]);

    await happens(codes);

    const offers = [...root.querySelectorAll<HTMLElement>(".md button, .md a")];
    expect(offers.map(({ tagName, textContent }) => `${tagName} ${textContent}`)).toEqual(["BUTTON confirm it"]);
    offers[0]?.click();
    expect(done).toEqual(["openCode"]);
    await happens({ type: "proven", assurance: "code", email: "sarah@example.com" });
    expect(root.querySelector(".md button")).toBeNull();
  });

  it("is not offered where the agent sends none", async () => {
    await happens(signsIn(null));
    await act(() => button("Menu")?.click());

    expect(root.querySelector(".sheet")).not.toBeNull();
    expect(button("Confirm your email address")).toBeUndefined();
  });

  it("asks for the address, then for the code, each in a field that says what it is", async () => {
    await happens(codes, signsIn(null), form());
    const address = field();
    expect([address?.type, address?.autocomplete, document.activeElement === address]).toEqual(["email", "email", true]);
    expect(root.querySelector("label")?.htmlFor).toBe(address?.id);
    if (address) address.value = "sarah@example.com";
    submit();
    expect(done).toEqual(["sendCode sarah@example.com"]);

    await happens(form({ step: "code", email: "sarah@example.com" }));

    const code = field();
    expect([code?.getAttribute("inputmode"), code?.autocomplete, code?.value, document.activeElement === code]).toEqual(["numeric", "one-time-code", "", true]);
    expect(root.textContent).toContain("Look for the code in the mail of sarah@example.com.");
    if (code) code.value = "246810";
    submit();
    expect(done.slice(1)).toEqual(["verifyCode 246810"]);
    button("Send a new code")?.click();
    button("Use another address")?.click();
    expect(done.slice(2)).toEqual(["sendCode sarah@example.com", "mendAddress"]);
  });

  it("says what is wrong, to screen readers as well", async () => {
    await happens(codes, signsIn(null), form({ step: "code", email: "sarah@example.com", problem: "That is not it." }));

    const problem = root.querySelector("[role=alert]");
    expect(problem?.textContent).toBe("That is not it.");
    expect([field()?.getAttribute("aria-invalid"), field()?.getAttribute("aria-describedby")]).toEqual(["true", problem?.id]);
  });

  it("sends nothing twice while an answer is awaited, nor while it would be in vain", async () => {
    await happens(codes, signsIn(null), form({ busy: true }));
    submit();
    await happens(form({ step: "code", waits: true }));
    button("Send a new code")?.click();

    expect(done).toEqual([]);
  });

  it("closes with Escape, before the window does", async () => {
    await happens(codes, signsIn(null), form());

    field()?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));

    expect(done).toEqual(["closeCode"]);
  });

  it("leaves a quiet line, without the whole address", async () => {
    await happens(codes, signsIn(null), form({ step: "code" }), { type: "proven", assurance: "code", email: "sarah.miller@example.com" });

    expect(root.querySelector("[data-proven]")?.textContent).toBe("Confirmed: s…@example.com");
    expect(root.querySelector("[data-code]")).toBeNull();
    expect(button("Confirm your email address")).toBeUndefined();
  });
});

describe("the chat", () => {
  it("greets by name and shows the shield", async () => {
    await happens(signsIn(sarah));
    expect(root.querySelector("[data-greeting]")?.textContent).toBe("Hi Sarah");
    expect(root.querySelector("[data-verified]")?.getAttribute("aria-label")).toBe("Signed in as Sarah Miller");
  });

  it("says that a member of staff acts as the visitor, plainly, T10", async () => {
    const opened = { session: "s", expires_at: "", assurance: "verified" as const, contact: sarah, actor: { id: "alex@shop.example" }, greeting: "Hi Sarah", agent };
    await happens({ type: "signed_in", opened });

    expect(root.querySelector("[data-actor]")?.textContent).toBe("alex@shop.example is signed in as Sarah Miller");
    await happens(signsIn(sarah));
    expect(root.querySelector("[data-actor]")).toBeNull();
  });

  it("says that it is a test, A4", async () => {
    const opened = { session: "s", expires_at: "", assurance: "verified" as const, contact: sarah, actor: { id: "apk_1" }, test: true, greeting: "Hi Sarah", agent };
    await happens({ type: "signed_in", opened });

    expect(root.querySelector("[data-test]")?.textContent).toBe("A test: this is nobody’s account");
    await happens(signsIn(sarah));
    expect(root.querySelector("[data-test]")).toBeNull();
  });

  it("keeps the text while offline, and does not send it", async () => {
    await happens(signsIn(sarah), { type: "composed", text: "hello" }, { type: "online", online: false });

    root.querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));

    expect(done).toEqual([]);
    expect(root.querySelector("textarea")?.value).toBe("hello");
    expect(root.textContent).toContain("You are offline");
  });

  it("sends with Enter, but not while a word is being composed", async () => {
    await happens(signsIn(sarah), { type: "composed", text: "hello" });
    const field = root.querySelector("textarea");

    field?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", shiftKey: true }));
    field?.dispatchEvent(Object.assign(new KeyboardEvent("keydown", { key: "Enter" }), {}, { isComposing: true }));
    expect(done).toEqual([]);
    field?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
    expect(done).toEqual(["send hello"]);
  });

  it("lets a failed message be tried again", async () => {
    await happens(signsIn(sarah), { type: "queued", outgoing: { id: "u1", text: "x", state: "sending" } }, { type: "failed", id: "u1", problem: "Not sent." });
    button("Try again")?.click();
    expect(done).toEqual(["retryMessage u1"]);
  });

  it("lets the visitor say that a conversation is not theirs", async () => {
    const status: Entry = { id: "ent_1", conversation: "cnv_1", number: 1, at: "", kind: "status", status: "continued_from_before_sign_in", text: "Continued from before you signed in" };
    await happens(signsIn(sarah), shows(status));
    button("Not mine")?.click();
    expect(done).toEqual(["notMine"]);
  });

  it("draws nothing for what a newer server may send", async () => {
    const unknown = { id: "ent_1", conversation: "cnv_1", number: 1, at: "", kind: "hologram" } as unknown as Entry;
    await happens(signsIn(sarah), shows(unknown, says("agent", "hello")));
    expect(root.querySelectorAll("[data-entry]")).toHaveLength(1);
  });
});
