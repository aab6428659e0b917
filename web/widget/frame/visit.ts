import type { Contact, Opened } from "../../protocol/index.ts";
import { Over, Refused, type Api, type Ask, type Pass } from "./api.ts";
import type { ProofKey } from "./proof.ts";

/** Aborted as soon as one of them is. (`AbortSignal.any` is younger than browsers we serve.) */
function either(one: AbortSignal, other: AbortSignal): AbortSignal {
  const both = new AbortController();
  for (const signal of [one, other]) {
    if (signal.aborted) both.abort();
    else signal.addEventListener("abort", () => both.abort(), { once: true, signal: both.signal });
  }
  return both.signal;
}

/**
 * One visitor's time in this frame, from the session's start until it ends.
 *
 * The session string lives here and nowhere else. It may change while the visit
 * goes on (S8); when the visit is over, nothing asked in its name is answered.
 */
export class Visit {
  readonly #over = new AbortController();
  #opened: Opened;
  /** Where the same visitor goes on, once this visit is over. */
  heir: Promise<Visit | null> = Promise.resolve(null);

  constructor(
    opened: Opened,
    /** What the session is bound to; a new string of it stays bound. */
    private readonly key: ProofKey | null,
    private readonly api: Api,
    /** Told that the server does not know this session. Gives the visit in which the request may go out again. */
    private readonly gone: (visit: Visit, used: string, code: string) => Promise<Visit | null>,
  ) {
    this.#opened = opened;
  }

  get session(): string {
    return this.#opened.session;
  }

  get contact(): Contact | null {
    return this.#opened.contact ?? null;
  }

  get pass(): Pass {
    return { session: this.session, key: this.key };
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  adopt(opened: Opened): void {
    this.#opened = opened;
  }

  json<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.#replayed((ask) => this.api.json<Answer>(method, path, ask), { body });
  }

  send(method: string, path: string, ask: Ask): Promise<Response> {
    return this.#replayed((full) => this.api.send(method, path, full), ask);
  }

  end(): void {
    this.#over.abort();
  }

  /** Sends a request; once more when the session has changed meanwhile, or was renewed because of it (S2). */
  async #replayed<Answer>(send: (ask: Ask) => Promise<Answer>, ask: Ask): Promise<Answer> {
    const used = this.session;
    try {
      return await this.#sent(send, ask);
    } catch (error) {
      const heir = await this.#heirAfter(error, used, ask);
      if (!heir) throw error instanceof Refused ? new Over("the session has ended") : error;
      return heir.#sent(send, ask);
    }
  }

  async #heirAfter(error: unknown, used: string, ask: Ask): Promise<Visit | null> {
    if (error instanceof Refused && error.isSessionGone) return this.gone(this, used, error.code);
    // Broken off, since another request had met the end of the session first.
    if (error instanceof Over && this.signal.aborted && !ask.signal?.aborted) return this.heir;
    throw error;
  }

  #sent<Answer>(send: (ask: Ask) => Promise<Answer>, ask: Ask): Promise<Answer> {
    const signal = ask.signal ? either(ask.signal, this.signal) : this.signal;
    return send({ ...ask, ...this.pass, signal });
  }
}
