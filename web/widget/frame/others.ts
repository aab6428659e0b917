/**
 * Other tabs of this browser that show the same agent. They tell each other who
 * left, and whom their pages name.
 */
export class Others {
  #channel: BroadcastChannel | undefined;
  /** Called with the contact who left, or `null` for whoever it was. */
  onLeft: (contact: string | null) => void = () => undefined;
  /** Called with the contact whom another tab's page has named, or `null`: nobody is logged in. */
  onIs: (contact: string | null) => void = () => undefined;

  constructor(name: string) {
    try {
      this.#channel = new BroadcastChannel(name);
    } catch {
      // Where storage is blocked so is this, and tabs know nothing of each other.
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data !== "object" || data === null) return;
      if ("left" in data && isContact(data.left)) this.onLeft(data.left);
      if ("is" in data && isContact(data.is)) this.onIs(data.is);
    };
  }

  left(contact: string | null): void {
    this.#channel?.postMessage({ left: contact });
  }

  is(contact: string | null): void {
    this.#channel?.postMessage({ is: contact });
  }

  close(): void {
    this.#channel?.close();
  }
}

const isContact = (value: unknown): value is string | null => value === null || typeof value === "string";
