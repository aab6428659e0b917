/** Other tabs of this browser that show the same agent. Hears that their visitor has left. */
export class Others {
  #channel: BroadcastChannel | undefined;
  /** Called with the contact who left, or `null` for whoever it was. */
  onLeft: (contact: string | null) => void = () => undefined;

  constructor(name: string) {
    try {
      this.#channel = new BroadcastChannel(name);
    } catch {
      // Where storage is blocked so is this, and tabs know nothing of each other.
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data !== "object" || data === null || !("left" in data)) return;
      if (data.left === null || typeof data.left === "string") this.onLeft(data.left);
    };
  }

  left(contact: string | null): void {
    this.#channel?.postMessage({ left: contact });
  }

  close(): void {
    this.#channel?.close();
  }
}
