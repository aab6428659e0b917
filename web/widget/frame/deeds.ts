/** What the visitor does with a conversation beside talking, and what they are told when it does not work. */
import type { TranscriptFormat } from "../../protocol/index.ts";
import { isPassing, Over, Refused } from "./api.ts";
import type { Identity } from "./identity.ts";
import type { Download, Shelf } from "./shelf.ts";
import type { Panel } from "./state.ts";
import type { Store } from "./store.ts";
import type { Thread } from "./thread.ts";
import { words } from "./words.ts";

type Ties = { readonly store: Store; readonly shelf: Shelf; readonly thread: Thread; readonly identity: Identity };

const problemOf = (error: unknown): string => {
  if (error instanceof Refused && error.code === "actor_may_not") return words.actorMayNot;
  return isPassing(error) ? words.notDone : words.notPossible;
};

export class Deeds {
  constructor(private readonly ties: Ties) {}

  stop(): Promise<void> {
    return this.#attempt(() => this.ties.thread.stop());
  }

  end(): Promise<void> {
    return this.#attempt(() => this.ties.shelf.change(this.#id, { closed: true }));
  }

  reopen(): Promise<void> {
    return this.#attempt(() => this.ties.shelf.change(this.#id, { closed: false }));
  }

  rate(score: number, comment: string | null): Promise<void> {
    return this.#attempt(() => this.ties.shelf.rate(this.#id, score, comment));
  }

  async download(format: TranscriptFormat, save: (file: Download) => void): Promise<void> {
    await this.#attempt(async () => save(await this.ties.shelf.transcript(this.#id, format)));
  }

  askTitle(): void {
    this.#panel({ name: "rename" });
  }

  /** Names the conversation; an empty name is the automatic one. */
  async rename(title: string): Promise<void> {
    await this.#answer("rename", () => this.ties.shelf.change(this.#id, { title: title.trim() || null }));
  }

  /** Asks whether everything is to be erased, and says how much that is. */
  async askForget(): Promise<void> {
    this.#panel({ name: "forget" });
    await this.ties.shelf.load().catch(() => undefined);
  }

  async forget(): Promise<void> {
    await this.#answer("forget", () => this.ties.identity.forget());
  }

  leavePanel(): void {
    this.ties.store.dispatch({ type: "panel", panel: null });
  }

  get #id(): string {
    const { conversation } = this.ties.store.state;
    if (!conversation) throw new Over("the conversation has gone");
    return conversation.id;
  }

  #panel(panel: Pick<Panel, "name"> & Partial<Panel>): void {
    this.ties.store.dispatch({ type: "panel", panel: { busy: false, problem: null, ...panel } });
  }

  /** Does what a panel asked for. It stays while that is awaited, and if it did not work. */
  async #answer(name: Panel["name"], run: () => Promise<void>): Promise<void> {
    const { store } = this.ties;
    if (store.state.panel?.busy) return;
    this.#panel({ name, busy: true });
    try {
      await run();
      if (store.state.panel?.name === name) this.leavePanel();
    } catch (error) {
      if (store.state.panel?.name !== name) return;
      if (error instanceof Over) this.leavePanel();
      else this.#panel({ name, problem: problemOf(error) });
    }
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    const { store } = this.ties;
    if (store.state.trouble !== null) store.dispatch({ type: "trouble", text: null });
    try {
      await run();
    } catch (error) {
      if (!(error instanceof Over)) store.dispatch({ type: "trouble", text: problemOf(error) });
    }
  }
}
