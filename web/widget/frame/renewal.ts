/** When the page is asked for a visitor's next token (S2). */

/** At most one renewal after a 401 in this time. */
const PAUSE = 30_000;
/** Timers count in 32 bits; a day is soon enough to look again. */
const DAY = 86_400_000;

export class Renewal {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastForced = -Infinity;

  constructor(
    /** The time by the server's clock. */
    private readonly now: () => number,
    private readonly renew: () => void,
  ) {}

  /** Renews at `time` of the server's, RFC 3339; `null` when that has failed: later, then. */
  at(time: string | null): void {
    this.stop();
    const after = time === null ? PAUSE : Date.parse(time) - this.now();
    this.#timer = setTimeout(() => (after > DAY ? this.at(time) : this.renew()), Math.max(Math.min(after, DAY), 0));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** A session was refused. False when one was a moment ago, and asking again would go round in circles. */
  isDue(): boolean {
    const due = performance.now() - this.#lastForced >= PAUSE;
    if (due) this.#lastForced = performance.now();
    return due;
  }
}
