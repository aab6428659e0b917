// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HELLO, type ToFrame, type ToPage } from "./channel.ts";

type Maitred = (command: string, ...args: unknown[]) => Promise<unknown>;

/** The frame's end: what the loader sent, and a way to answer. */
class Frame {
  readonly heard: ToFrame[] = [];
  #port: MessagePort | undefined;

  constructor(readonly element: HTMLElement) {}

  /** Pretends that the frame has loaded, and takes the port it is handed. */
  load(): { target: unknown } {
    const handed: { target: unknown } = { target: undefined };
    Object.defineProperty(this.element, "contentWindow", {
      configurable: true,
      value: {
        postMessage: (data: unknown, target: unknown, [port]: MessagePort[]) => {
          expect(data).toBe(HELLO);
          handed.target = target;
          this.#port = port;
          if (port) port.onmessage = (event: MessageEvent<ToFrame>) => void this.heard.push(event.data);
        },
      },
    });
    this.element.dispatchEvent(new Event("load"));
    this.says({ type: "event", name: "ready", detail: {} });
    return handed;
  }

  says(message: ToPage): void {
    this.#port?.postMessage(message);
  }

  async answers(type: ToFrame["type"], answer: { value?: unknown; failure?: { code: string; message: string } }): Promise<void> {
    await vi.waitFor(() => expect(this.heard.some((m) => m.type === type)).toBe(true));
    for (const message of this.heard) if (message.type === type && "id" in message) this.says({ type: "done", id: message.id, ...answer });
  }
}

let complaints: unknown[];

async function embed(attributes: { [name: string]: string } = {}, before: unknown[][] = []): Promise<Maitred> {
  const script = document.createElement("script");
  Object.defineProperty(script, "src", { value: "https://support.example/widget.js" });
  Object.assign(script.dataset, { agent: "agt_1", ...attributes });
  vi.spyOn(document, "currentScript", "get").mockReturnValue(script);
  if (before.length > 0) Object.assign(window, { maitred: Object.assign(() => undefined, { q: before }) });
  vi.resetModules();
  await import("./loader.ts");
  return window.maitred as unknown as Maitred;
}

const launcher = () => document.getElementById("maitred-widget")?.shadowRoot?.querySelector("button");

async function frame(): Promise<Frame> {
  const find = () => document.getElementById("maitred-widget")?.shadowRoot?.querySelector<HTMLElement>("[title]");
  await vi.waitFor(() => expect(find()).toBeTruthy());
  return new Frame(find() ?? document.body);
}

beforeEach(() => {
  complaints = [];
  // The tests play the frame: an element that loads nothing stands in for it.
  const create = document.createElement.bind(document);
  vi.spyOn(document, "createElement").mockImplementation((tag: string) => create(tag === "iframe" ? "div" : tag));
  vi.spyOn(console, "error").mockImplementation((text) => void complaints.push(text));
});

afterEach(async () => {
  await (window.maitred as unknown as Maitred | undefined)?.("destroy");
  vi.restoreAllMocks();
});

describe("the queue", () => {
  it("is worked off in order, the page's attributes first", async () => {
    await embed({ locale: "de", token: "a.b.c" }, [["prefill", "hello"], ["send", "hi"], ["open"]]);
    const chat = await frame();

    expect(chat.load().target).toBe("https://support.example");

    await vi.waitFor(() =>
      expect(chat.heard).toEqual([
        { type: "set", locale: "de" },
        { type: "identify", id: 1 },
        { type: "prefill", text: "hello" },
        { type: "send", id: 2, text: "hi" },
        { type: "shown", open: true },
      ]),
    );
  });

  it("names the known commands when it does not know one", async () => {
    const maitred = await embed();

    await expect(maitred("identfy", {})).rejects.toMatchObject({ code: "bad_command" });
    await expect(maitred("toString")).rejects.toMatchObject({ code: "bad_command" });

    expect(complaints[0]).toMatch(/^\[maitred\] bad_command: unknown command `identfy`; known: identify logout open/);
  });

  it("gives a promise that the frame settles", async () => {
    const maitred = await embed();
    const sent = maitred("send", "hi");
    const chat = await frame();
    chat.load();

    await chat.answers("send", { failure: { code: "bad_message", message: "too long" } });

    await expect(sent).rejects.toEqual({ code: "bad_message", message: "too long" });
    expect(complaints).toEqual([]);
  });
});

describe("asking the page", () => {
  const asks = async (given: unknown, reason: "start" | "renew" = "start") => {
    const maitred = await embed();
    void maitred("identify", given).catch(() => undefined);
    const chat = await frame();
    chat.load();
    chat.says({ type: "ask", id: 7, reason });
    await vi.waitFor(() => expect(chat.heard.some((m) => m.type === "answer")).toBe(true), { timeout: 3000 });
    return { chat, answer: chat.heard.find((m) => m.type === "answer") };
  };
  const answered = (answer: unknown) => ({ type: "answer", id: 7, answer });

  it("hands on the reason and what getToken gives", async () => {
    const reasons: unknown[] = [];
    const { answer } = await asks({ getToken: (reason: unknown) => (reasons.push(reason), Promise.resolve("a.b.c")) }, "renew");
    expect([answer, reasons]).toEqual([answered({ kind: "token", token: "a.b.c" }), ["renew"]]);
  });

  it.each([
    ["null: nobody", () => null, { kind: "nobody" }],
    ["nothing", () => undefined, { kind: "unavailable", message: "getToken must give a token or null" }],
    ["an empty token", () => "", { kind: "unavailable", message: "getToken must give a token or null" }],
    ["a rejection", () => Promise.reject(new Error("500")), { kind: "unavailable", message: "getToken failed: 500" }],
    ["an exception", () => { throw new Error("oops"); }, { kind: "unavailable", message: "getToken failed: oops" }],
  ])("understands %s", async (_, getToken, answer) => {
    expect((await asks({ getToken })).answer).toEqual(answered(answer));
  });

  it("is taken out of the page once it is read: what records the DOM gets none, S1", async () => {
    await embed({ token: "a.b.c" });

    const attributes = [...(document.currentScript?.attributes ?? [])].map(({ name, value }) => `${name}=${value}`);
    expect(attributes).toEqual(["data-agent=agt_1"]);
  });

  it("gives a token away once", async () => {
    const { chat, answer } = await asks({ token: "a.b.c" });
    expect(answer).toEqual(answered({ kind: "token", token: "a.b.c" }));

    chat.says({ type: "ask", id: 8, reason: "unauthorized" });
    await vi.waitFor(() => expect(chat.heard.at(-1)).toEqual({ type: "answer", id: 8, answer: { kind: "none" } }));
  });

  it.each([
    ["written into the page", { token: "a.b.c" }, 1],
    ["asked for", {}, 0],
  ])("warns once where tokens are good once and are %s, T9", async (_, attributes: { [name: string]: string }, times) => {
    const warned: unknown[] = [];
    vi.spyOn(console, "warn").mockImplementation((text) => void warned.push(text));
    await embed(attributes);
    const chat = await frame();
    chat.load();

    for (const once of [false, true, true]) chat.says({ type: "look", accent: "#000", ink: "#fff", position: "right", name: `Ada ${once}`, once });

    await vi.waitFor(() => expect(chat.element.getAttribute("title")).toBe("Chat with Ada true"));
    expect(warned).toHaveLength(times);
    if (times > 0) expect(warned[0]).toMatch(/^\[maitred\] one_time_tokens: .*getToken/);
  });

  it("refuses an identify without either", async () => {
    const maitred = await embed();
    await expect(maitred("identify", { email: "sarah@shop.example" })).rejects.toMatchObject({ code: "bad_command" });
  });
});

describe("events", () => {
  it("reach their handlers until these are taken off", async () => {
    const maitred = await embed();
    const chat = await frame();
    const seen: unknown[] = [];
    const handler = (detail: unknown) => void seen.push(detail);
    await maitred("on", "unread", handler);
    chat.load();

    chat.says({ type: "event", name: "unread", detail: { count: 2 } });
    await vi.waitFor(() => expect(seen).toEqual([{ count: 2 }]));
    expect(launcher()?.getAttribute("aria-label")).toBe("Open chat, 2 unread");

    await maitred("off", "unread", handler);
    chat.says({ type: "event", name: "unread", detail: { count: 3 } });
    await vi.waitFor(() => expect(launcher()?.getAttribute("aria-label")).toBe("Open chat, 3 unread"));
    expect(seen).toHaveLength(1);
  });

  it("about a refused token are written to the console, once and whole", async () => {
    const maitred = await embed();
    const seen: unknown[] = [];
    await maitred("on", "identify_failed", (detail: unknown) => void seen.push(detail));
    const chat = await frame();
    chat.load();

    const detail = { code: "token_expired", message: "the token expired 3 min ago", hint: "your server's clock is 4 min behind" };
    chat.says({ type: "event", name: "identify_failed", detail });

    await vi.waitFor(() => expect(seen).toEqual([detail]));
    expect(complaints).toEqual(["[maitred] token_expired: the token expired 3 min ago. your server's clock is 4 min behind"]);
  });

  it("say when the frame cannot be reached, and which origin to allow", async () => {
    const maitred = await embed();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const seen: unknown[] = [];
    void maitred("on", "error", (detail: unknown) => void seen.push(detail));
    void maitred("open");
    await vi.advanceTimersByTimeAsync(10_001);
    vi.useRealTimers();

    expect(seen).toMatchObject([{ code: "frame_unreachable", hint: expect.stringContaining(location.origin) as string }]);
  });
});

describe("the window", () => {
  it("opens and closes, and says so", async () => {
    const maitred = await embed();
    const names: string[] = [];
    for (const name of ["open", "close"]) await maitred("on", name, () => void names.push(name));
    const chat = await frame();
    chat.load();

    launcher()?.click();
    expect(await maitred("state")).toMatchObject({ open: true, unread: 0, assurance: null, contact: null });
    expect(launcher()?.getAttribute("aria-expanded")).toBe("true");

    chat.says({ type: "close" });
    await vi.waitFor(() => expect(names).toEqual(["open", "close"]));
  });

  it("leaves nothing behind when it is destroyed", async () => {
    const maitred = await embed();
    await frame();

    await maitred("destroy");

    expect(document.getElementById("maitred-widget")).toBeNull();
    expect(window.maitred).toBeUndefined();
    await expect(maitred("open")).rejects.toMatchObject({ code: "destroyed" });
  });
});
