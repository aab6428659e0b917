import type { Answer, Reason } from "../channel.ts";

/** How long the page may take to say who is logged in. */
const PATIENCE = 10_000;

const unavailable = (message: string): Answer => ({ kind: "unavailable", message });

function read(value: unknown): Answer {
  if (value === null) return { kind: "nobody" };
  if (typeof value === "string" && value !== "") return { kind: "token", token: value };
  return unavailable("getToken must give a token or null");
}

/** Where the visitor's token comes from: the page's callback, one token, or nowhere. */
export class Source {
  #ask: ((reason: Reason) => unknown) | undefined;
  #token: Answer | undefined;

  /** Takes what the page gave to `identify`; says what is wrong with it, if anything. */
  set(given: unknown): string | undefined {
    const { token, getToken } = (given ?? {}) as { token?: unknown; getToken?: unknown };
    if (typeof getToken === "function") {
      this.#ask = (reason) => getToken(reason) as unknown;
      this.#token = undefined;
    } else if (token === null || (typeof token === "string" && token !== "")) {
      this.#ask = undefined;
      // Given away once: a token that was refused or has run out is not offered again.
      this.#token = read(token);
    } else {
      return "identify needs { token } or { getToken }";
    }
    return undefined;
  }

  clear(): void {
    this.#ask = this.#token = undefined;
  }

  async answer(reason: Reason): Promise<Answer> {
    const ask = this.#ask;
    if (!ask) {
      const token = this.#token;
      this.#token = undefined;
      return token ?? { kind: "none" };
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<Answer>((resolve) => {
      timer = setTimeout(() => resolve(unavailable("getToken did not answer within 10 s")), PATIENCE);
    });
    try {
      return await Promise.race([Promise.resolve(ask(reason)).then(read), late]);
    } catch (reason) {
      return unavailable(`getToken failed: ${reason instanceof Error ? reason.message : String(reason)}`);
    } finally {
      clearTimeout(timer);
    }
  }
}
