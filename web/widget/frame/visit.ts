import type { Contact, Opened } from "../../protocol/index.ts";
import { Over, Refused, type Api, type Ask } from "./api.ts";

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
  #session: string;
  contact: Contact | null;
  expiresAt: string;

  constructor(
    opened: Opened,
    private readonly api: Api,
    /** Told that the server does not know this session. True when a newer one took its place meanwhile. */
    private readonly gone: (visit: Visit, used: string, code: string) => Promise<boolean>,
  ) {
    this.#session = opened.session;
    this.contact = opened.contact ?? null;
    this.expiresAt = opened.expires_at;
  }

  get session(): string {
    return this.#session;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  adopt(opened: Opened): void {
    this.#session = opened.session;
    this.contact = opened.contact ?? null;
    this.expiresAt = opened.expires_at;
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

  /** Sends a request; once more when it crossed with a change of the session string. */
  async #replayed<Answer>(send: (ask: Ask) => Promise<Answer>, ask: Ask): Promise<Answer> {
    const signal = ask.signal ? either(ask.signal, this.signal) : this.signal;
    const used = this.#session;
    try {
      return await send({ ...ask, signal, session: used });
    } catch (error) {
      if (!(error instanceof Refused && error.isSessionGone)) throw error;
      if (await this.gone(this, used, error.code)) return send({ ...ask, signal, session: this.#session });
      throw new Over("the session has ended");
    }
  }
}
