/** Whole stories, over HTTP, against the fake server: several conversations, on several devices. */
import { describe, expect, it } from "vitest";
import { requests, SARAH, server, tab, tellStories } from "../testing/stories.ts";
import type { Tab } from "../testing/visitor.ts";
import { liveOn } from "./state.ts";

tellStories();

const REPLY = () => server.talk.replies[0];

async function sarahs(): Promise<Tab> {
  const device = tab();
  await device.logsIn(SARAH);
  return device;
}

/** Says something, and hears the answer. */
async function asks(device: Tab, text: string): Promise<string> {
  const before = device.words.length;
  await device.chat.send(text);
  await device.until(() => device.words.length >= before + 2);
  return device.state.conversation?.id ?? "";
}

/** Sarah's two conversations, the second on screen. */
async function twoConversations(device: Tab): Promise<[string, string]> {
  const first = await asks(device, "about shoes");
  await device.chat.thread.show(null);
  return [first, await asks(device, "about coats")];
}

/** An answer that is being written, until it is let go on. */
function heldAnswer(): () => void {
  let release: () => void = () => undefined;
  server.talk.holds = new Promise((resolve) => (release = resolve));
  return release;
}

describe("several conversations", () => {
  it("go on beside the one on screen: the reply there is kept, and unread", async () => {
    const device = await sarahs();
    await device.opens();
    const [first, second] = await twoConversations(device);
    await device.until(() => device.state.unread === 0);
    const release = heldAnswer();
    device.chat.send("and boots?").catch(() => undefined);
    await device.until(() => liveOn(device.state).reply !== null);
    await device.chat.thread.show(device.state.records[first] ?? null);
    expect([liveOn(device.state).reply, device.state.live[second]?.reply?.text]).toEqual([null, "You "]);

    release();
    await device.until(() => device.state.unread === 1);

    expect(device.state.records[second]).toMatchObject({ unread: 1, last_message: { text: REPLY() } });
    expect([device.words, device.state.live]).toEqual([["about shoes", REPLY()], {}]);
    await device.chat.thread.show(device.state.records[second] ?? null);
    await device.until(() => device.state.unread === 0);
    expect(device.words.slice(2)).toEqual(["and boots?", REPLY()]);
  });

  it("do not take the place of a blank page", async () => {
    const device = await sarahs();
    const first = await asks(device, "about shoes");
    await device.chat.thread.show(null);

    server.say("sarah", "a late word");
    await device.until(() => device.state.records[first]?.last_message?.text === "a late word");

    expect(device.state.conversation).toBeNull();
    await asks(device, "about coats");
    expect(device.words[0]).toBe("about coats");
  });

  it("keep what the stream brings while their entries are on the way", async () => {
    const device = await sarahs();
    await device.opens();
    const [first] = await twoConversations(device);
    let arrive: () => void = () => undefined;
    server.trap("GET", /entries$/, { late: new Promise((resolve) => (arrive = resolve)) });
    const before = server.seen.length;
    const shown = device.chat.thread.show(device.state.records[first] ?? null);
    await device.until(() => server.seen.slice(before).some((it) => it.path.endsWith("/entries")));
    server.say("sarah", "meanwhile", first);
    await device.until(() => device.words.includes("meanwhile"));

    arrive();
    await shown;

    expect(device.words).toEqual(["about shoes", REPLY(), "meanwhile"]);
  });

  it("that were begun elsewhere are in the list, as soon as something is said in them", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await asks(phone, "about shoes");
    await laptop.until(() => laptop.words.length === 2);
    await phone.chat.thread.show(null);
    const second = await asks(phone, "about coats");

    await laptop.until(() => laptop.state.records[second]?.last_message?.by === "agent");

    expect(laptop.state.records[second]).toMatchObject({ unread: 1, title: "about coats" });
    expect(laptop.words[0]).toBe("about shoes");
  });
});

describe("read marks", () => {
  it("are told once for what is read in one go, and the badge goes down on every device", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await phone.opens();
    const id = await asks(phone, "hello");

    await laptop.until(() => laptop.state.records[id]?.read_to === 2);
    expect(requests("POST", /read$/).map((s) => s.body)).toEqual([{ up_to: 2 }]);
    expect([phone.state.unread, laptop.state.unread, laptop.state.marks]).toEqual([0, 0, {}]);
    expect(phone.seen.every((state) => state.unread === 0)).toBe(true);
    expect(laptop.seen.some((state) => state.unread === 1)).toBe(true);
  });

  it("are not told of a tab that nobody looks at, nor of a window that is closed", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await laptop.opens();
    laptop.looks(false);
    await asks(phone, "hello");
    await laptop.until(() => laptop.state.unread === 1);
    expect(requests("POST", /read$/)).toEqual([]);

    laptop.looks(true);
    await laptop.until(() => laptop.state.unread === 0);
    await phone.until(() => phone.state.conversation?.read_to === 2);
  });

  it("that could not be told are kept, and told later", async () => {
    const device = await sarahs();
    await device.opens();
    for (let i = 0; i < 3; i++) server.trap("POST", /read$/, "drop");
    const id = await asks(device, "hello");
    await expect.poll(() => requests("POST", /read$/).length).toBe(3);
    expect([device.state.unread, device.state.marks]).toEqual([0, { [id]: 2 }]);

    server.say("sarah", "one more");
    await device.until(() => device.state.records[id]?.read_to === 3);
    expect(device.state.marks).toEqual({});
  });

  it("that are refused are not told for ever", async () => {
    const device = await sarahs();
    await device.opens();
    server.trap("POST", /read$/, { status: 404, error: { code: "not_found", message: "no such conversation" } });

    await asks(device, "hello");

    await device.until(() => device.state.conversation?.unread === 0 && Object.keys(device.state.marks).length === 0);
    expect(requests("POST", /read$/)).toHaveLength(1);
  });

  it("are nobody's who acts as the visitor, T10", async () => {
    server.actor = "alex@shop.example";
    const device = await sarahs();
    await device.opens();
    const id = await asks(device, "hello");
    device.chat.write("typing");

    expect([device.state.unread, device.state.marks]).toEqual([0, { [id]: 2 }]);
    await device.chat.shelf.load();
    expect(requests("POST", /(read|typing)$/)).toEqual([]);
    expect(device.state.unread).toBe(0);
  });
});

describe("typing", () => {
  const told = () => requests("POST", /typing$/).map((s) => s.body["typing"]);

  it("is told to the other devices and not to this one, and ends with the message", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await asks(phone, "hello");
    await laptop.until(() => laptop.words.length === 2);

    for (const text of ["a", "an", "and"]) phone.chat.write(text);
    await laptop.until(() => liveOn(laptop.state).elsewhere);
    expect([told(), liveOn(phone.state).elsewhere]).toEqual([[true], false]);

    await phone.chat.send("and");
    await laptop.until(() => !liveOn(laptop.state).elsewhere);
    await expect.poll(told).toEqual([true, false]);
  });

  it("ends by itself when nothing more comes", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await asks(phone, "hello");
    await laptop.until(() => laptop.words.length === 2);

    phone.chat.write("half a thought");
    await laptop.until(() => liveOn(laptop.state).elsewhere);
    await laptop.until(() => !liveOn(laptop.state).elsewhere);

    expect(told()).toEqual([true, false]);
  });

  it("is forgotten where its end is not told", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await asks(phone, "hello");
    await laptop.until(() => laptop.words.length === 2);

    phone.chat.write("half a thought");
    await laptop.until(() => liveOn(laptop.state).elsewhere);
    phone.close();

    await laptop.until(() => !liveOn(laptop.state).elsewhere);
    expect(told()).toEqual([true]);
  });

  it("is not told before there is a conversation, nor for what the page puts there", async () => {
    const device = await sarahs();
    device.chat.write("hello");
    await asks(device, "hello");
    await device.chat.hear({ type: "prefill", text: "from the page" });

    expect(told()).toEqual([]);
  });
});

describe("an answer", () => {
  it("can be stopped while it is written, and stays so", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    const release = heldAnswer();
    phone.chat.send("tell me a story").catch(() => undefined);
    await phone.until(() => liveOn(phone.state).reply !== null);

    await phone.chat.deeds.stop();
    for (const device of [phone, laptop]) await device.until(() => device.state.entries.some((e) => e.kind === "status" && e.status === "stopped"));
    release();

    await asks(phone, "something else");
    await laptop.until(() => laptop.words.length === 3);
    expect(laptop.words).toEqual(["tell me a story", "something else", REPLY()]);
    expect([liveOn(phone.state), liveOn(laptop.state)].map(({ reply, typing }) => [reply, typing])).toEqual([[null, false], [null, false]]);
  });
});

describe("a conversation", () => {
  it("ends on all devices, is rated, and goes on when something is said in it", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    const id = await asks(phone, "hello");
    await laptop.until(() => laptop.words.length === 2);

    await phone.chat.deeds.end();
    await laptop.until(() => laptop.state.conversation?.closed_at !== null);
    await laptop.chat.deeds.rate(4, null);
    await phone.until(() => phone.state.conversation?.rating?.score === 4);
    await phone.chat.deeds.rate(5, "  All good now ");
    await laptop.until(() => laptop.state.conversation?.rating?.comment === "All good now");
    expect(requests("POST", /rating$/).map((s) => s.body)).toEqual([{ score: 4 }, { score: 5, comment: "All good now" }]);

    await laptop.chat.send("one more thing");
    await phone.until(() => phone.state.conversation?.closed_at === null);
    expect([phone.state.conversation?.id, laptop.state.conversation?.id]).toEqual([id, id]);

    await phone.chat.deeds.end();
    await phone.chat.deeds.reopen();
    await laptop.until(() => laptop.state.entries.filter((e) => e.kind === "status" && e.status === "reopened").length === 2);
  });

  it("that has ended is not resumed, but listed", async () => {
    const device = await sarahs();
    await asks(device, "hello");
    await device.chat.deeds.end();

    const later = await sarahs();
    await later.until(() => later.state.listed);

    expect([later.state.conversation, later.state.records[device.state.conversation?.id ?? ""]?.unread]).toEqual([null, 1]);
    expect(later.state.unread).toBe(1);
  });

  it("is renamed on all devices; an empty name is the automatic one", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await asks(phone, "hello");
    await laptop.until(() => laptop.words.length === 2);

    phone.chat.deeds.askTitle();
    await phone.chat.deeds.rename("  Red shoes ");
    await laptop.until(() => laptop.state.conversation?.title === "Red shoes");
    expect(phone.state.panel).toBeNull();

    await laptop.chat.deeds.rename("");
    await phone.until(() => phone.state.conversation?.title === "hello");
    expect(requests("PATCH", /conversations/).map((s) => s.body)).toEqual([{ title: "Red shoes" }, { title: null }]);
  });

  it("is not renamed when the server cannot, and says so where it was wanted", async () => {
    const device = await sarahs();
    await asks(device, "hello");
    device.chat.deeds.askTitle();
    server.trap("PATCH", /conversations/, { status: 422, error: { code: "bad_title", message: "a title has 1 to 120 characters" } });

    await device.chat.deeds.rename("x");

    expect(device.state.panel).toMatchObject({ name: "rename", busy: false, problem: "That is not possible here." });
    device.chat.deeds.leavePanel();
    server.trap("PATCH", /conversations/, "drop");
    await device.chat.deeds.end();
    expect(device.state.trouble).toMatch(/did not work/);
    await device.chat.deeds.end();
    expect([device.state.trouble, device.state.conversation?.closed_at === null]).toEqual([null, false]);
  });

  it.each([["text", "conversation-2026-11-24.txt"], ["json", "conversation-2026-11-24.json"]] as const)("is a file: %s", async (format, name) => {
    const device = await sarahs();
    await asks(device, "hello");
    const files: [string, string][] = [];

    await device.chat.deeds.download(format, (file) => void file.content.text().then((text) => files.push([file.name, text])));

    await expect.poll(() => files.length).toBe(1);
    expect(files[0]?.[0]).toBe(name);
    expect(files[0]?.[1]).toContain("hello");
    expect(requests("GET", /transcript$/)).toHaveLength(1);
  });
});

describe("the list", () => {
  it("is searched once the visitor has stopped typing, without case and accents", async () => {
    const device = await sarahs();
    const [first] = await twoConversations(device);
    await device.chat.shelf.open();
    const asked = requests("GET", /conversations$/).length;

    for (const query of ["S", "SH", "SHÖES"]) void device.chat.shelf.search(query);
    await device.until(() => device.state.list?.found !== null);

    expect(device.state.list?.found).toMatchObject([{ id: first, match: { number: 1, text: "about shoes" } }]);
    expect(requests("GET", /conversations$/).length).toBe(asked + 1);
    await device.chat.shelf.search("nowhere");
    expect(device.state.list?.found).toEqual([]);
    server.trap("GET", /conversations$/, { status: 422, error: { code: "bad_search", message: "nothing but accents" } });
    await device.chat.shelf.search("´´");
    expect(device.state.list).toMatchObject({ found: [], failed: false });
    await device.chat.shelf.search("");
    expect(device.state.list?.found).toBeNull();
  });

  it("has every page of it", async () => {
    const device = await sarahs();
    for (let number = 1; number <= 101; number++) {
      await device.chat.thread.show(null);
      await device.chat.send(`question ${number}`);
    }
    await device.chat.shelf.load();
    expect(Object.keys(device.state.records)).toHaveLength(101);
  });

  it("says so when it cannot be read", async () => {
    const device = await sarahs();
    await asks(device, "hello");
    for (let i = 0; i < 3; i++) server.trap("GET", /conversations$/, "drop");

    await expect(device.chat.shelf.open()).rejects.toThrow();

    expect(device.state.list?.failed).toBe(true);
    await device.chat.shelf.open();
    expect(device.state.list?.failed).toBe(false);
  });
});

describe("a lid that is closed and opened again", () => {
  it("misses nothing and doubles nothing: words, marks, names, endings", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await phone.opens();
    const [first, second] = await twoConversations(phone);
    await laptop.until(() => laptop.state.unread === 0 && laptop.state.records[second]?.read_to === 2);
    await laptop.chat.thread.show(laptop.state.records[first] ?? null);
    const session = laptop.chat.identity.visit?.session ?? "";
    server.away(session);
    await laptop.until(() => laptop.state.link === "lost");

    server.say("sarah", "while you were away", second);
    server.say("sarah", "and once more", second);
    server.say("sarah", "here, too", first);
    await phone.chat.deeds.rename("Coats");
    await phone.chat.deeds.end();
    await phone.until(() => phone.state.records[second]?.read_to === 4);
    server.back(session);
    laptop.chat.hearing.wake();

    await laptop.until(() => laptop.words.includes("here, too") && laptop.state.records[second]?.read_to === 4);
    expect(laptop.state.records[second]).toMatchObject({ title: "Coats", last_message: { text: "and once more" } });
    expect(laptop.words).toEqual(["about shoes", REPLY(), "here, too"]);
    expect(laptop.state.unread).toBe(1);
  });

  it("reads everything again where the server cannot replay it", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    const id = await asks(phone, "hello");
    await phone.chat.thread.show(null);
    const other = await asks(phone, "something of somebody else's");
    await laptop.until(() => laptop.state.records[other]?.last_message?.by === "agent");
    await laptop.chat.thread.show(laptop.state.records[other] ?? null);

    await phone.chat.thread.notMine();

    await laptop.until(() => laptop.state.conversation?.id === id && laptop.words.length === 2);
    expect([Object.keys(laptop.state.records), laptop.words]).toEqual([[id], ["hello", REPLY()]]);
  });
});

describe("being forgotten", () => {
  it("erases everything, shows that, and begins anew only when asked to", async () => {
    const device = await sarahs();
    await device.opens();
    await twoConversations(device);
    device.chat.compose("half a thought");
    await device.chat.deeds.askForget();
    expect([device.state.panel?.name, Object.keys(device.state.records).length]).toEqual(["forget", 2]);

    await device.chat.deeds.forget();

    expect(device.phase).toBe("erased");
    expect([device.state.records, device.state.entries, device.state.draft, device.state.held, device.state.unread]).toEqual([{}, [], "", null, 0]);
    expect([device.events("logout").length, device.asked, server.sessions]).toEqual([1, ["start"], []]);

    await device.chat.identity.retry();
    await device.until(() => device.phase === "live" && device.state.listed);
    expect([device.state.greeting, device.state.records]).toEqual(["Hi Sarah, how can I help you today?", {}]);
  });

  it("ends on the visitor's other devices, which begin anew with nothing", async () => {
    const [phone, laptop] = [await sarahs(), await sarahs()];
    await asks(phone, "a secret");
    await laptop.until(() => laptop.words.length === 2);

    await phone.chat.deeds.forget();

    await laptop.until(() => laptop.phase === "live" && laptop.state.conversation === null && laptop.state.listed);
    expect([laptop.state.records, laptop.words]).toEqual([{}, []]);
  });

  it("works for who nobody named", async () => {
    const someone = tab();
    await someone.opens();
    await asks(someone, "hello");

    await someone.chat.deeds.forget();
    expect(someone.phase).toBe("erased");
    await someone.chat.send("hello again");

    expect(someone.words[0]).toBe("hello again");
    expect(someone.state.phase).toMatchObject({ name: "live", contact: null });
  });

  it("is done although the answer was lost on its way", async () => {
    const device = await sarahs();
    await asks(device, "hello");
    let first = true;
    server.trap("DELETE", /visitor/, async () => {
      if (!first) return;
      first = false;
      server.revoke("sarah");
      await Promise.reject(new Error("after that"));
    });

    await device.chat.deeds.forget();

    expect(device.phase).toBe("erased");
    expect(requests("DELETE", /visitor/)).toHaveLength(2);
  });

  it("that did not work says so, and nothing is gone", async () => {
    const device = await sarahs();
    await asks(device, "hello");
    server.actor = "alex@shop.example";
    await device.chat.deeds.askForget();

    await device.chat.deeds.forget();

    expect(device.state.panel).toMatchObject({ name: "forget", busy: false, problem: "Only the customer can do this, nobody in their place." });
    expect([device.phase, device.words.length]).toEqual(["live", 2]);
  });
});
