import { backoff, isPassing, Over, pause, Refused, Unreachable } from "./api.ts";

/** One event of a server-sent stream. */
export type Told = { readonly event: string; readonly data: string; readonly id: string | undefined };

/**
 * Cuts a server-sent stream into events, however the network cut it.
 *
 * Takes text (decode bytes with `stream: true` first) and gives the events that
 * became whole. What is not closed by an empty line is never given.
 */
export class Parser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string | undefined;

  push(chunk: string): Told[] {
    const told: Told[] = [];
    let text = this.#rest + chunk;
    // A carriage return at the end may be half of a line end.
    const held = text.endsWith("\r") ? "\r" : "";
    text = text.slice(0, text.length - held.length);
    const lines = text.split(/\r\n|\r|\n/);
    this.#rest = (lines.pop() ?? "") + held;
    for (const line of lines) {
      const whole = this.#line(line);
      if (whole) told.push(whole);
    }
    return told;
  }

  #line(line: string): Told | undefined {
    if (line === "") {
      const event: Told = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
      const empty = this.#data.length === 0;
      this.#event = "";
      this.#data = [];
      this.#id = undefined;
      return empty ? undefined : event;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }
}

export type Listener = {
  /** Opens the stream. */
  readonly connect: (headers: Record<string, string>) => Promise<Response>;
  readonly told: (event: Told) => void;
  readonly link: (link: "connecting" | "live" | "lost") => void;
  readonly signal: AbortSignal;
  /** The id of the last event that had one, kept by the caller over several calls. */
  readonly position: { last?: string };
};

/** The server sends a heartbeat every 15 s; a stream this quiet is dead. */
const SILENCE = 40_000;

/**
 * Listens until `signal` says stop, coming back with `Last-Event-ID` after every cut.
 *
 * Ends by itself only when the server refuses for good (the session is gone).
 */
export async function listen({ connect, told, link, signal, position }: Listener): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    link("connecting");
    try {
      const response = await connect(position.last === undefined ? {} : { "last-event-id": position.last });
      link("live");
      for await (const event of events(response, signal)) {
        failures = 0;
        if (event.id !== undefined) position.last = event.id;
        told(event);
        if (event.event === "draining") break;
      }
    } catch (error) {
      if (error instanceof Over) return;
      if (error instanceof Refused && !isPassing(error)) return;
    }
    if (signal.aborted) return;
    link("lost");
    try {
      await pause(backoff(failures++), signal);
    } catch {
      return;
    }
  }
}

async function* events(response: Response, signal: AbortSignal): AsyncGenerator<Told> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const parser = new Parser();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await withinSilence(reader.read());
      if (done || signal.aborted) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Also when the reader of this generator stops early: the connection is not left open.
    void reader.cancel().catch(() => undefined);
  }
}

async function withinSilence<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unreachable("the stream fell silent")), SILENCE);
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}
