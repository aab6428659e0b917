/**
 * What outlives a page load: the anonymous visitor's secret and draft. Nothing
 * of a verified visitor is ever put here (S1).
 *
 * A browser may partition, block or empty storage, or throw at any touch (W6).
 * Then memory does, and the chat works as before until the page is left.
 */
export class Keep {
  #memory = new Map<Name, string>();

  constructor(
    private readonly prefix: string,
    private readonly open: () => Storage = () => localStorage,
  ) {}

  read(name: Name): string | null {
    try {
      return this.open().getItem(this.#key(name)) ?? this.#memory.get(name) ?? null;
    } catch {
      return this.#memory.get(name) ?? null;
    }
  }

  write(name: Name, value: string): void {
    this.#memory.set(name, value);
    try {
      this.open().setItem(this.#key(name), value);
    } catch {
      // Kept in memory.
    }
  }

  clear(...names: readonly Name[]): void {
    for (const name of names.length > 0 ? names : NAMES) {
      this.#memory.delete(name);
      try {
        this.open().removeItem(this.#key(name));
      } catch {
        // There is nothing of ours in storage that cannot be opened.
      }
    }
  }

  #key(name: Name): string {
    return `${this.prefix}:${name}`;
  }
}

const NAMES = ["visitor", "draft"] as const;
type Name = (typeof NAMES)[number];
