// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../../protocol/index.ts";
import { agent, button, conversation, done, happens, key, onScreen, press, root, sarah, says, shows, signsIn } from "../../testing/screen.tsx";
import type { Change, Panel } from "../state.ts";

onScreen();

const talking: Change[] = [{ type: "shown", open: true }, signsIn(sarah), shows(says("visitor", "hello"), says("agent", "hello to you"))];
const record = (more: Partial<Conversation>): Change => ({ type: "record", conversation: { ...conversation, ...more } });
const listOf = (...conversations: readonly Partial<Conversation>[]): Change => ({
  type: "records", conversations: conversations.map((each, at) => ({ ...conversation, id: `cnv_${at + 1}`, last_message: { by: "agent", text: "the **last** word", at: "2026-01-01T00:00:01Z" }, ...each })),
});
const answering: Change = { type: "typing", conversation: "cnv_1", by: "agent", typing: true };
const field = () => root.querySelector<HTMLTextAreaElement>(".composer textarea");
const menu = () => [...root.querySelectorAll(".sheet button")].map((item) => item.textContent);

describe("the menu", () => {
  it("offers what can be done here, and takes the focus and gives it back", async () => {
    await happens(...talking);
    await press("Menu");
    expect(menu()).toEqual(["Your conversations", "New conversation", "Rename", "Download transcript", "End conversation", "Forget me", "Close chat"]);
    expect(document.activeElement?.textContent).toBe("Your conversations");

    await key("ArrowUp");
    expect(document.activeElement?.textContent).toBe("Close chat");
    await key("ArrowDown");
    await key("ArrowDown");
    expect(document.activeElement?.textContent).toBe("New conversation");

    await key("Escape");
    expect([menu(), document.activeElement?.getAttribute("aria-label"), done]).toEqual([[], "Menu", []]);
  });

  it.each([["Rename", "askTitle"], ["End conversation", "end"], ["Forget me", "askForget"]])("does what it says: %s", async (item, deed) => {
    await happens(...talking);
    await press("Menu");
    await press(item);
    expect([done, menu()]).toEqual([[deed], []]);
  });

  it("opens again what has ended", async () => {
    await happens(...talking, record({ closed_at: "2026-01-02T00:00:00Z" }));
    await press("Menu");
    await press("Open again");
    expect(done).toEqual(["reopen"]);
  });

  it("asks which transcript is wanted, and can go back", async () => {
    await happens(...talking);
    await press("Menu");
    await press("Download transcript");
    expect(menu()).toEqual(["Download transcript", "As text, to read", "As JSON, for programs"]);
    await press("Download transcript");
    expect(menu()).toContain("Rename");
    await press("Download transcript");
    await press("As JSON, for programs");
    expect(done).toEqual(["download json"]);
  });

  it("offers nothing for a conversation where there is none", async () => {
    await happens(signsIn(null));
    await press("Menu");
    expect(menu()).toEqual(["Your conversations", "New conversation", "Forget me", "Close chat"]);
  });

  it.each([{ actor: { id: "alex@shop.example" } }, { actor: { id: "apk_1" }, test: true }])("does not offer to be forgotten to who acts as the visitor, T10: %j", async (more) => {
    await happens({ type: "signed_in", opened: { session: "s", expires_at: "", assurance: "verified", contact: sarah, greeting: "Hi", agent, ...more } });
    await press("Menu");
    expect(menu()).not.toContain("Forget me");
  });

  it("tells of what is unread elsewhere, and not of what is on screen", async () => {
    await happens(...talking, listOf({ unread: 5 }, { unread: 2 }));
    expect(root.querySelector(".dot")?.textContent).toContain("2 unread");
    await press("Menu");
    expect(root.querySelector(".sheet .count")?.textContent).toBe("2 2 unread");

    await happens(record({ id: "cnv_2", read_to: 9 }));
    expect(root.querySelector(".dot, .sheet .count")).toBeNull();
  });
});

describe("an answer that is written", () => {
  it("turns the button to send into one to stop, and back", async () => {
    await happens(...talking, answering);
    expect([button("Send"), button("Stop answering")?.disabled]).toEqual([undefined, false]);
    await act(() => button("Stop answering")?.focus());
    await press("Stop answering");
    expect(done).toEqual(["stop"]);

    await happens({ type: "typing", conversation: "cnv_1", by: "agent", typing: false });
    expect([button("Stop answering"), button("Send")?.disabled, document.activeElement === field()]).toEqual([undefined, true, true]);
  });

  it("can be stopped, and something else be sent, at the same time", async () => {
    await happens(...talking, answering, { type: "composed", text: "never mind" });
    await press("Stop answering");
    root.querySelector(".composer")?.dispatchEvent(new Event("submit", { cancelable: true }));
    expect(done).toEqual(["stop", "send never mind"]);
  });

  it("in another conversation changes nothing here", async () => {
    await happens(...talking, { ...answering, conversation: "cnv_2" });
    expect(button("Stop answering")).toBeUndefined();
    expect(root.querySelector("[data-typing]")).toBeNull();
  });
});

it("what is typed on another device is told quietly, to nobody's ear", async () => {
  await happens(...talking, { type: "typing", conversation: "cnv_1", by: "visitor", typing: true });
  const line = root.querySelector("[data-elsewhere]");
  expect([line?.textContent, line?.closest("[aria-live], [role=status], [role=log]")]).toEqual(["You are typing on another device…", null]);
});

it("what a conversation is called stands under the agent's name, once it is there", async () => {
  await happens(signsIn(sarah), record({ title: "Red shoes" }));
  expect(root.querySelector("[data-topic]")).toBeNull();
  await happens(shows(says("visitor", "hello")));
  expect(root.querySelector("[data-topic]")?.textContent).toBe("Red shoes");
});

it("what did not work is said at once", async () => {
  await happens(...talking, { type: "trouble", text: "That did not work." });
  expect(root.querySelector("[role=alert]")?.textContent).toBe("That did not work.");
});

describe("a conversation that has ended", () => {
  const ended = record({ closed_at: "2026-01-02T00:00:00Z" });
  const rated = (comment: string | null): Change => record({ closed_at: "2026-01-02T00:00:00Z", rating: { score: 4, comment } });

  it("asks how it went, offers a new one, and goes on by writing", async () => {
    await happens(...talking, ended);
    expect(field()?.placeholder).toBe("Write to open it again…");
    await press("4 of 5: good");
    await press("Start a new conversation");
    expect(done).toEqual(["rate 4 ", "show "]);
  });

  it("shows the rating, wherever it was given, takes a comment, and lets both be changed", async () => {
    await happens(...talking, ended, rated(null));
    const stars = [...root.querySelectorAll(".stars button")];
    expect(stars.map((star) => star.getAttribute("aria-pressed"))).toEqual(["false", "false", "false", "true", "false"]);
    expect(root.querySelectorAll(".lit")).toHaveLength(4);
    expect(root.querySelector("[data-ended] [role=status]")?.textContent).toBe("Thank you for your rating.");

    const comment = root.querySelector<HTMLTextAreaElement>("#comment");
    if (comment) comment.value = " Quick and friendly ";
    await act(() => void root.querySelector("[data-comment]")?.dispatchEvent(new Event("submit", { cancelable: true })));
    await happens(rated("Quick and friendly"));
    expect([done, root.querySelector("q")?.textContent]).toEqual([["rate 4 Quick and friendly"], "Quick and friendly"]);

    await press("Change comment");
    expect(root.querySelector<HTMLTextAreaElement>("#comment")?.value).toBe("Quick and friendly");
    await press("2 of 5: bad");
    expect(done[1]).toBe("rate 2 Quick and friendly");
  });

  it("need not be rated", async () => {
    await happens(...talking, ended);
    await press("Skip");
    expect([root.querySelector("[data-rating]"), button("Start a new conversation") !== undefined, done]).toEqual([null, true, []]);
  });

  it("takes the focus of who has ended it, and of nobody else", async () => {
    await happens(...talking, ended);
    expect(document.activeElement).toBe(field());
    await happens(record({}));
    await act(() => button("Menu")?.focus());
    await happens(ended);
    expect(document.activeElement).toBe(root.querySelector("[data-ended]"));
  });
});

describe("the list", () => {
  const open: Change[] = [...talking, { type: "list", open: true }];
  const rows = () => [...root.querySelectorAll(".list li button")];

  it("shows titles, last words and what is unread; what has ended stands apart", async () => {
    await happens(...open, listOf({ title: "Shoes", unread: 3 }, { title: "Coats", closed_at: "2026-01-02T00:00:00Z" }));
    expect(rows().map((row) => row.querySelector("b")?.textContent)).toEqual(["Shoes", "Coats"]);
    expect(rows().map((row) => row.querySelector(".said")?.textContent)).toEqual(["the last word", "the last word"]);
    expect(rows().map((row) => row.querySelector(".count")?.textContent)).toEqual(["3 3 unread", undefined]);
    expect([...root.querySelectorAll(".list ul")].map((list) => list.getAttribute("aria-label"))).toEqual(["Your conversations", "Ended"]);
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Back to the conversation");

    await act(() => (rows()[1] as HTMLElement).click());
    expect(done).toEqual(["show cnv_2 "]);
  });

  it("follows what happens while it is looked at", async () => {
    await happens(...open, listOf({ title: "Shoes" }));
    await happens({ type: "entry", entry: says("agent", "a new word", { at: "2026-01-03T00:00:00Z" }), seen: false });
    expect([root.querySelector(".said")?.textContent, root.querySelector(".count")?.textContent]).toEqual(["a new word", "1 1 unread"]);
  });

  it("says so when nothing is there, or could not be had", async () => {
    await happens(...open, { type: "gone", conversation: "cnv_1" }, listOf());
    expect([root.querySelector(".nothing")?.textContent, root.querySelector("input")]).toEqual(["No conversations yet. What you ask stays here for you.", null]);
    await happens({ type: "unlisted" });
    expect(root.querySelector(".nothing[role=alert]")).toBeNull();
    await happens({ type: "searched", query: "shoes" }, { type: "unlisted" });
    expect(root.querySelector(".nothing[role=alert]")?.textContent).toContain("could not be loaded");
    await press("Try again");
    expect(done).toEqual(["search shoes"]);
    await happens({ type: "forgotten" }, signsIn(sarah), { type: "list", open: true }, { type: "unlisted" });
    await press("Try again");
    expect(done[1]).toBe("openList");
  });

  it("marks what was found, and never makes markup of it", async () => {
    const hostile = "<img src=x onerror=alert(1)> returns of <b>shoes</b>";
    await happens(...open, listOf({ title: "Red SHOES" }, { title: "Other" }), { type: "searched", query: "shoes" });
    expect(root.querySelector(".list .spinner")).not.toBeNull();
    const found = [{ ...conversation, title: "Red SHOES", match: null }, { ...conversation, id: "cnv_2", title: "Other", match: { number: 7, text: hostile } }];
    await happens({ type: "found", query: "shoes", items: found });

    expect([...root.querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual(["SHOES", "shoes"]);
    expect(root.querySelectorAll(".list li img, .list .said b")).toHaveLength(0);
    expect(root.querySelector(".list [role=status]")?.textContent).toBe("2 found");
    await act(() => (rows()[1] as HTMLElement).click());
    expect(done).toEqual(["show cnv_2 7"]);
  });

  it("says that nothing was found, and Escape empties the field before it leaves the list", async () => {
    await happens(...open, listOf({ title: "Shoes" }), { type: "searched", query: "zebra" }, { type: "found", query: "zebra", items: [] });
    expect(root.querySelector(".nothing[role=status]")?.textContent).toContain("Nothing found for “zebra”.");

    const input = root.querySelector("input");
    input?.focus();
    await key("Escape");
    expect(done).toEqual(["search "]);
    await happens({ type: "searched", query: "" });
    await key("Escape");
    expect(done.slice(1)).toEqual(["closeList"]);
  });

  it("brings into view what was found", async () => {
    await happens(...open, { type: "conversation", conversation, sought: "hello to you".length });
    expect(root.querySelector(".sought")?.getAttribute("data-number")).toBe("12");
  });
});

describe("renaming", () => {
  const panel = (more: Partial<Panel> = {}): Change => ({ type: "panel", panel: { name: "rename", busy: false, problem: null, ...more } });

  it("begins with the name that there is, and says what is wrong with another", async () => {
    await happens(...talking, record({ title: "Red shoes" }), panel());
    const input = root.querySelector<HTMLInputElement>("#title");
    expect([input?.value, document.activeElement === input]).toEqual(["Red shoes", true]);
    if (input) input.value = "Blue shoes";
    root.querySelector("[data-panel]")?.dispatchEvent(new Event("submit", { cancelable: true }));
    await happens(panel({ problem: "That is not possible here." }));
    expect(root.querySelector("[role=alert]")?.textContent).toBe("That is not possible here.");
    await act(() => input?.focus());
    await key("Escape");
    expect(done).toEqual(["rename Blue shoes", "leavePanel"]);

    await happens({ type: "panel", panel: null });
    expect(document.activeElement).toBe(field());
  });
});

describe("being forgotten", () => {
  const panel: Change = { type: "panel", panel: { name: "forget", busy: false, problem: null } };

  it.each([
    [[{}, {}], "Erase 2 conversations", ": 2 conversations, with"],
    [[{}], "Erase 1 conversation", ": 1 conversation, with"],
    [[], "Erase everything", "is erased, on all your devices"],
  ])("names what goes, and that it cannot be undone", async (records, label, words) => {
    await happens(...talking, { type: "gone", conversation: "cnv_1" }, listOf(...records), panel);
    const dialog = root.querySelector("[role=alertdialog]");
    expect(dialog?.textContent).toContain(words);
    expect(dialog?.textContent).toContain("This cannot be undone. Your account on this site stays as it is.");
    expect([document.activeElement?.textContent, root.querySelector("textarea, .thread")]).toEqual(["Cancel", null]);

    await press(label);
    await press("Cancel");
    expect(done).toEqual(["forget", "leavePanel"]);
  });

  it("ends where nothing is left, with a way to begin anew", async () => {
    await happens(...talking, panel, { type: "forgotten" }, { type: "locked", phase: { name: "erased", named: true } });
    expect(root.querySelector(".gate")?.textContent).toContain("You are forgottenEverything we kept about you here is erased. A new chat can begin in a minute.");
    expect(root.textContent).not.toMatch(/hello|Sarah/);
    expect(document.activeElement?.textContent).toBe("Start a new chat");
    await press("Start a new chat");
    expect(done).toEqual(["retryIdentity"]);
  });
});
