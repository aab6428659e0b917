import { IDBFactory } from "fake-indexeddb";
import type { Answer, Detail, EventName, Reason } from "../channel.ts";
import { Api } from "../frame/api.ts";
import { Chat } from "../frame/chat.ts";
import { Keyring } from "../frame/keyring.ts";
import { Others } from "../frame/others.ts";
import type { State } from "../frame/state.ts";
import { Keep } from "../frame/storage.ts";

/** Storage that some tabs of one browser share. */
export class Browser {
  readonly #databases = new IDBFactory();
  readonly stored = new Map<string, string>();

  constructor(private readonly kind: "ordinary" | "blocked" = "ordinary") {}

  get databases(): IDBFactory {
    if (this.kind === "blocked") throw new DOMException("storage is blocked", "SecurityError");
    return this.#databases;
  }

  get storage(): Storage {
    if (this.kind === "blocked") throw new DOMException("storage is blocked", "SecurityError");
    const { stored } = this;
    return {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
      removeItem: (key: string) => void stored.delete(key),
      clear: () => stored.clear(),
      key: () => null,
      length: 0,
    };
  }
}

/** A tab with the chat in it and a page around it, for tests. No document. */
export class Tab {
  readonly chat: Chat;
  readonly told: { name: EventName; detail: Detail }[] = [];
  readonly asked: Reason[] = [];
  /** What every change left on screen, in short. */
  readonly seen: State[] = [];
  /** What the page answers when it is asked who is logged in. */
  page: (reason: Reason) => Answer | Promise<Answer> = () => ({ kind: "none" });
  readonly #others: Others;
  #present = true;
  #listeners: (() => void)[] = [];

  constructor(base: string, browser = new Browser(), channel: string = crypto.randomUUID(), nonce?: string) {
    this.#others = new Others(channel);
    this.chat = new Chat({
      api: new Api(base, nonce),
      keep: new Keep("maitred:agt_fake:production", () => browser.storage),
      // The clocks of tests run fast, and databases do not.
      keyring: new Keyring("maitred:agt_fake:production", () => browser.databases, 500_000),
      others: this.#others,
      place: { agent: "agt_fake", environment: "production", page_origin: "https://shop.example" },
      attention: { present: () => this.#present, changed: (listener) => void this.#listeners.push(listener) },
      attended: () => Promise.resolve(),
      page: {
        emit: (name, detail = {}) => void this.told.push({ name, detail }),
        ask: async (reason) => {
          this.asked.push(reason);
          return this.page(reason);
        },
      },
    });
    this.chat.store.subscribe((state) => this.seen.push(state));
  }

  get state(): State {
    return this.chat.store.state;
  }

  get phase(): string {
    return this.state.phase.name;
  }

  /** The words on screen. */
  get words(): string[] {
    return this.state.entries.flatMap((e) => (e.kind === "message" ? [e.text] : []));
  }

  logsIn(token: string): Promise<unknown> {
    this.page = () => ({ kind: "token", token });
    return this.chat.hear({ type: "identify", id: 0 });
  }

  opens(): Promise<unknown> {
    return this.chat.hear({ type: "shown", open: true });
  }

  /** Somebody looks at this tab, or nobody. */
  looks(present: boolean): void {
    this.#present = present;
    for (const listener of this.#listeners) listener();
  }

  /** Waits until `holds`; a test's time limit ends the waiting. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.chat.store.subscribe(() => {
        if (!holds()) return;
        stop();
        resolve();
      });
    });
  }

  events(name: EventName): Detail[] {
    return this.told.filter((t) => t.name === name).map((t) => t.detail);
  }

  close(): void {
    this.chat.identity.visit?.end();
    this.#others.close();
  }
}
