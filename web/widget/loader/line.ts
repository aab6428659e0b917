import { HELLO, type Failure, type ToFrame, type ToPage } from "../channel.ts";

/** How long the frame may take to answer (W3). */
const PATIENCE = 10_000;

type Numbered<M> = M extends { readonly id: number } ? Omit<M, "id"> : never;
export type Request = Numbered<Exclude<ToFrame, { type: "answer" }>>;
type Waiting = { resolve: (value: unknown) => void; reject: (failure: Failure) => void };

/** The loader's end of the channel. What is said before the frame is there waits. */
export class Line {
  #port: MessagePort | undefined;
  #queue: ToFrame[] = [];
  #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(
    private readonly origin: string,
    private readonly hear: (message: ToPage) => void,
  ) {}

  /** Hands a port to the frame each time it has loaded; calls `lost` when it does not answer. */
  attach(frame: HTMLIFrameElement, lost: () => void): void {
    const timer = setTimeout(lost, PATIENCE);
    frame.addEventListener("load", () => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }: MessageEvent<ToPage>) => {
        // The first word shows that our frame is there, and not a browser's error page.
        if (this.#port !== port1) {
          clearTimeout(timer);
          this.#port?.close();
          this.#port = port1;
          for (const message of this.#queue.splice(0)) port1.postMessage(message);
        }
        if (data.type === "done") this.#settle(data);
        else this.hear(data);
      };
      frame.contentWindow?.postMessage(HELLO, this.origin, [port2]);
    });
  }

  tell(message: ToFrame): void {
    if (this.#port) this.#port.postMessage(message);
    else this.#queue.push(message);
  }

  request(message: Request): Promise<unknown> {
    const id = ++this.#last;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.tell({ ...message, id });
    return answer;
  }

  #settle({ id, value, failure }: Extract<ToPage, { type: "done" }>): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure) waiting?.reject(failure);
    else waiting?.resolve(value);
  }

  close(failure: Failure): void {
    this.#port?.close();
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
  }
}
