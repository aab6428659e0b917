import type { Problem } from "../../protocol/index.ts";
import type { Failure } from "../channel.ts";
import type { ProofKey } from "./proof.ts";

/** The server answered, and the answer is no. `code` is stable; `message` and `hint` are for people. */
export class Refused extends Error {
  override readonly name = "Refused";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | undefined,
    /** Seconds the server asked to wait. */
    readonly retryAfter: number | undefined,
  ) {
    super(message);
  }

  /** The session is over, as opposed to: the token was refused. */
  get isSessionGone(): boolean {
    return this.status === 401 && ["unauthorized", "session_expired", "session_revoked", "invalid_proof"].includes(this.code);
  }

  /** Another proof may do: the nonce was stale, or the browser itself had sent the request twice. */
  get isAboutProof(): boolean {
    return this.status === 401 && ["use_dpop_nonce", "invalid_proof"].includes(this.code);
  }
}

/** No answer: the network or the server is away. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** What was asked no longer matters, since the visitor it was for has gone. */
export class Over extends Error {
  override readonly name = "Over";
}

/** What a request shows for itself: the session, and the key that it is bound to, if it is (S4). */
export type Pass = { readonly session: string; readonly key: ProofKey | null };

export type Ask = Partial<Pass> & {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request should survive the page. */
  readonly keepalive?: boolean;
};

/** Trying again is sensible: nothing was decided. */
export const isPassing = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof Refused && (error.status === 429 || error.status >= 500));

async function refusal(response: Response): Promise<Refused> {
  let problem: Partial<Problem> = {};
  try {
    problem = ((await response.json()) as { error?: Partial<Problem> }).error ?? {};
  } catch {
    // A proxy's page, perhaps. The status says enough.
  }
  const after = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new Refused(
    response.status,
    problem.code ?? "internal",
    problem.message ?? `the server answered ${response.status}`,
    problem.hint,
    Number.isFinite(after) ? after : undefined,
  );
}

/** Speaks HTTP with our server and turns every way it can fail into one of three errors. */
export class Api {
  /** How far the server's clock is ahead of ours; visitors' clocks are wrong. */
  #ahead = 0;

  constructor(
    /** Our origin. */
    private readonly base: string,
    /** What proofs are to say, by the server's latest word. */
    private nonce?: string,
  ) {}

  /** The server takes proofs of possession: it gives nonces for them. */
  get takesProofs(): boolean {
    return this.nonce !== undefined;
  }

  /** The time by the server's clock, as far as its answers told. */
  now(): number {
    return Date.now() + this.#ahead;
  }

  /** Sends one request; the response is a success, its body unread. */
  async send(method: string, path: string, ask: Ask = {}): Promise<Response> {
    try {
      return await this.#once(method, path, ask);
    } catch (error) {
      if (!ask.key || !(error instanceof Refused && error.isAboutProof)) throw error;
      return this.#once(method, path, ask);
    }
  }

  async #once(method: string, path: string, { session, key, body, signal, headers, keepalive }: Ask): Promise<Response> {
    const url = new URL(path, this.base);
    const proof = await key?.proves({ method, url, session, nonce: this.nonce });
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          ...headers,
          ...(session && { authorization: `Bearer ${session}` }),
          ...(proof && { dpop: proof }),
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
        ...(keepalive && { keepalive }),
        cache: "no-store",
        credentials: "omit",
      });
    } catch (cause) {
      if (signal?.aborted) throw new Over("the visitor has gone");
      throw new Unreachable("no answer from the server", { cause });
    }
    if (signal?.aborted) throw new Over("the visitor has gone");
    this.nonce = response.headers.get("dpop-nonce") ?? this.nonce;
    const date = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(date)) this.#ahead = date - Date.now();
    if (!response.ok) throw await refusal(response);
    return response;
  }

  /** Sends one request and reads the JSON it answers with. */
  async json<Answer>(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const response = await this.send(method, path, ask);
    try {
      return (await response.json()) as Answer;
    } catch (cause) {
      if (ask.signal?.aborted) throw new Over("the visitor has gone");
      throw new Unreachable("the answer broke off", { cause });
    }
  }
}

/** An error in the words that the page gets. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Over) return { code: "interrupted", message: error.message };
  if (error instanceof Unreachable) return { code: "unreachable", message: "the server could not be reached" };
  const { code, message, hint } = Object(error) as Partial<Failure>;
  return { code: code ?? "unreachable", message: message ?? String(error), ...(hint !== undefined && { hint }) };
}

/** Waits, unless `signal` says that it no longer matters. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new Over("the visitor has gone"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });

/** Doubling waits with jitter, so that many clients do not come back at once. */
export const backoff = (attempt: number, chance: () => number = Math.random): number =>
  Math.min(500 * 2 ** attempt, 20_000) * (0.5 + chance() / 2);

/** Repeats what failed in passing, `tries` times in all. */
export async function persist<T>(run: () => Promise<T>, tries: number, signal?: AbortSignal): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!isPassing(error) || attempt + 1 >= tries) throw error;
      const asked = error instanceof Refused ? error.retryAfter : undefined;
      await pause(asked === undefined ? backoff(attempt) : Math.min(asked, 30) * 1000, signal);
    }
  }
}
