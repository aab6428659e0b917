/** Proving an address by a code that is sent to it: for visitors without a token (A3), or whose site does not vouch for theirs (T5). */
import type { SessionView } from "../../protocol/index.ts";
import { Over, Refused, type Api } from "./api.ts";
import type { Visit } from "./visit.ts";
import type { CodeForm } from "./state.ts";
import type { Store } from "./store.ts";
import { words } from "./words.ts";

type Ties = {
  readonly store: Store;
  readonly api: Api;
  readonly visit: () => Visit | null;
};

/** A code may be typed in this often (A3). */
const TRIES = 3;

const blank: CodeForm = { step: "address", email: "", busy: false, waits: false, problem: null };

export class Code {
  /** Counts forms: what was asked for in one that was closed is not shown in the next. */
  #form = 0;
  /** Wrong codes since the last one was sent. */
  #wrong = 0;
  #lapse: ReturnType<typeof setTimeout> | undefined;
  #wait: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ties: Ties) {}

  open(): void {
    this.#form++;
    const { phase } = this.ties.store.state;
    this.#show({ ...blank, email: (phase.name === "live" && phase.claimedEmail) || "" });
  }

  close(): void {
    this.#form++;
    clearTimeout(this.#wait);
    this.ties.store.dispatch({ type: "code", form: null });
  }

  /** Back to the address, to mend it. */
  mend(): void {
    clearTimeout(this.#wait);
    this.#change({ step: "address", waits: false, problem: null });
  }

  /** Has a code sent. */
  async send(address: string): Promise<void> {
    const email = address.trim();
    this.#change({ email, problem: null });
    // Only what cannot be one; the server knows better, and nobody knows whether it is read.
    if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email)) return this.#change({ problem: words.badEmail });
    await this.#busy(async (visit) => {
      await visit.json("POST", "/v1/code", { email });
      this.#wrong = 0;
      return { step: "code", problem: null };
    });
  }

  /** Shows the server the code that the visitor has typed. */
  async verify(typed: string): Promise<void> {
    const code = typed.replaceAll(/[\s-]/g, "");
    if (!/^\d{6}$/.test(code)) return this.#change({ problem: words.badCode });
    await this.#busy(async (visit) => {
      const { assurance, proven } = await visit.json<SessionView>("POST", "/v1/code/verification", { code });
      if (proven) this.ties.store.dispatch({ type: "proven", assurance, email: proven.email });
      if (proven) this.#lapseAt(proven.expires_at);
      return null;
    });
  }

  async #busy(run: (visit: Visit) => Promise<Partial<CodeForm> | null>): Promise<void> {
    const visit = this.ties.visit();
    const form = this.#form;
    if (!visit || this.ties.store.state.code?.busy) return;
    this.#change({ busy: true, problem: null });
    let after: Partial<CodeForm> | null;
    try {
      after = await run(visit);
    } catch (error) {
      if (error instanceof Over) return;
      after = { problem: problemOf(error) };
      if (error instanceof Refused && error.code === "wrong_code" && ++this.#wrong >= TRIES) after = { problem: words.codeExpired };
      if (error instanceof Refused && error.code === "rate_limited") this.#waits(waitOf(error));
    }
    if (form === this.#form && after) this.#change({ busy: false, ...after });
  }

  /** Asking again would be in vain until then. */
  #waits(seconds: number): void {
    clearTimeout(this.#wait);
    this.#change({ waits: true });
    this.#wait = setTimeout(() => this.#change({ waits: false, problem: null }), Math.min(seconds, 3600) * 1000);
  }

  #lapseAt(time: string): void {
    clearTimeout(this.#lapse);
    const { store, api } = this.ties;
    this.#lapse = setTimeout(() => store.dispatch({ type: "lapsed" }), Math.max(Date.parse(time) - api.now(), 0));
  }

  #change(part: Partial<CodeForm>): void {
    const { code } = this.ties.store.state;
    if (code) this.#show({ ...code, ...part });
  }

  #show(form: CodeForm): void {
    this.ties.store.dispatch({ type: "code", form });
  }
}

/** Seconds until asking again makes sense. */
const waitOf = (error: unknown): number => (error instanceof Refused ? error.retryAfter : undefined) ?? 60;

function problemOf(error: unknown): string {
  switch (error instanceof Refused ? error.code : null) {
    case "wrong_code":
      return words.wrongCode;
    case "code_expired":
      return words.codeExpired;
    case "rate_limited":
      return words.codeLimit(Math.ceil(waitOf(error) / 60));
    case "invalid_email":
      return words.badEmail;
    case "code_unavailable":
      return words.codeUnavailable;
    default:
      return words.codeFailed;
  }
}
