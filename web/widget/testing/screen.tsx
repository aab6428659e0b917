/** The view on a page of its own, without a server: what happens is dispatched, what is done is noted. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach } from "vitest";
import type { Agent, Contact, Conversation, Entry, MessageEntry } from "../../protocol/index.ts";
import type { Change } from "../frame/state.ts";
import { Store } from "../frame/store.ts";
import { App } from "../frame/view.tsx";
import type { Actions } from "../frame/view/actions.ts";

export const agent: Agent = { id: "agt_1", environment: "production", name: "Ada", suggestions: ["Where is my order?"], sign_in_url: "https://shop.example/login", appearance: { accent: null, position: "right" } };
export const sarah: Contact = { id: "cnt_sarah", name: "Sarah Miller" };
export const conversation: Conversation = {
  id: "cnv_1", title: null, opened_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z", closed_at: null, last_message: null, from_before_sign_in: true,
  read_to: 0, unread: 0, rating: null,
};

export const says = (by: MessageEntry["by"], text: string, more: Partial<MessageEntry> = {}): MessageEntry => ({
  id: `msg_${text.length}`, conversation: "cnv_1", number: text.length, at: "2026-01-01T00:00:00Z", kind: "message", by, text, ...more,
});

/** What the visitor did, oldest first. */
export let done: string[];
export let root: HTMLElement;
let store: Store;

const ACTIONS = [
  "send", "retryMessage", "compose", "close", "retryIdentity", "openList", "closeList", "search", "show", "stop", "askTitle", "rename", "end", "reopen", "rate",
  "download", "askForget", "forget", "leavePanel", "notMine", "openCode", "closeCode", "sendCode", "mendAddress", "verifyCode",
] as const satisfies readonly (keyof Actions)[];

/** Conversations are noted by their id; events that handlers are called with are not what was done. */
const noted = (arg: unknown) => (typeof arg === "object" && arg !== null && "id" in arg ? String(arg.id) : arg);
const note = (name: string) => (...args: readonly unknown[]) => void done.push([name, ...args.filter((arg) => !(arg instanceof Event)).map(noted)].join(" "));
const actions = Object.fromEntries(ACTIONS.map((name) => [name, note(name)])) as unknown as Actions;

export const happens = (...changes: readonly Change[]) => act(() => changes.forEach(store.dispatch));
export const signsIn = (contact: Contact | null, of: Agent = agent): Change => ({
  type: "signed_in",
  opened: { session: "s", expires_at: "", assurance: contact ? "verified" : "anonymous", greeting: contact ? "Hi Sarah" : "Hi", agent: of, ...(contact && { contact, conversation }) },
});
export const shows = (...entries: readonly Entry[]): Change => ({ type: "entries", conversation: "cnv_1", entries, fresh: true });
export const button = (name: string) => [...root.querySelectorAll("button")].find((b) => b.textContent === name || b.getAttribute("aria-label") === name);
export const press = (name: string) => act(() => button(name)?.click());
export const key = (name: string) => act(() => void document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true })));

/** Each test of the file gets a view of its own. */
export function onScreen(): void {
  beforeEach(() => {
    done = [];
    store = new Store();
    root = document.createElement("div");
    document.body.append(root);
    act(() => render(<App store={store} actions={actions} />, root));
  });

  afterEach(() => {
    render(null, root);
    root.remove();
  });
}
