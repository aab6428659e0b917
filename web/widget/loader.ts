/**
 * What a site embeds: one global, `maitred(command, …)`, a launcher, and the frame.
 *
 * Runs in somebody else's page. It asks the page for tokens and passes them on;
 * it keeps none, stores nothing, and makes no request of its own. Everything
 * about sessions and conversations is in the frame, on our origin.
 */
import type { Detail, EventName, Failure, Preferences, Standing, ToPage } from "./channel.ts";
import { Line } from "./loader/line.ts";
import { Source } from "./loader/source.ts";
import { makeStage, type Stage } from "./loader/stage.ts";

type Handler = (detail: Detail) => void;
type Global = ((command: string, ...args: readonly unknown[]) => Promise<unknown>) & {
  q?: ArrayLike<unknown>[];
  loaded?: true;
};

declare global {
  interface Window {
    maitred?: Global | undefined;
  }
}

function complain({ code, message, hint }: Failure): void {
  // oxlint-disable-next-line no-console -- the console is where an integrator looks first
  console.error(`[maitred] ${code}: ${message}${hint ? `. ${hint}` : ""}`);
}

const failed = (code: string, message: string) => Object.assign(new Error(message), { code });
const badCommand = (message: string) => failed("bad_command", message);
const DESTROYED = "the widget was destroyed";

function whenIdle(run: () => void): void {
  const idle = () => {
    if (typeof requestIdleCallback === "function") requestIdleCallback(run, { timeout: 2000 });
    else setTimeout(run, 200);
  };
  if (document.readyState === "complete") idle();
  else addEventListener("load", idle, { once: true });
}

/** One embedded chat: what the page asks of it, and what it tells the page. */
class Widget {
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #source = new Source();
  readonly #line: Line;
  readonly #origin: string;
  #stage: Stage | undefined;
  #standing: Standing = { assurance: null, contact: null };
  #opened = false;
  #hidden = false;
  #gone = false;
  #unread = 0;

  readonly #commands: { readonly [name: string]: (...args: readonly unknown[]) => unknown } = {
    identify: (given) => {
      const wrong = this.#source.set(given);
      if (wrong) throw badCommand(wrong);
      return this.#line.request({ type: "identify" });
    },
    logout: () => {
      this.#source.clear();
      return this.#line.request({ type: "logout" });
    },
    open: () => this.#show(true),
    close: () => this.#show(false),
    toggle: () => this.#show(!this.#opened),
    show: () => this.#hide(false),
    hide: () => this.#hide(true),
    destroy: () => this.#destroy(),
    send: (text) => this.#line.request({ type: "send", text: String(text ?? "") }),
    prefill: (text) => this.#line.tell({ type: "prefill", text: String(text ?? "") }),
    set: (preferences) => this.#line.tell({ ...(preferences as Preferences), type: "set" }),
    on: (event, handler) => void this.#handlersOf(event, handler).add(handler as Handler),
    off: (event, handler) => void this.#handlersOf(event, handler).delete(handler as Handler),
    state: () => ({ open: this.#opened, unread: this.#unread, ...this.#standing }),
  };

  constructor(
    src: string,
    private readonly agent: string,
    private readonly environment: string,
    /** The page has the token written into it. */
    private written: boolean,
  ) {
    this.#origin = new URL(src).origin;
    this.#line = new Line(this.#origin, (message) => this.#hear(message));
    addEventListener("keydown", this.#onKey);
  }

  /** Carries out a command; what it throws becomes a rejection. */
  async run(command: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#gone) throw failed("destroyed", DESTROYED);
    const run = Object.hasOwn(this.#commands, command) ? this.#commands[command] : undefined;
    if (!run) throw badCommand(`unknown command \`${command}\`; known: ${Object.keys(this.#commands).join(" ")}`);
    return run(...args);
  }

  /** Puts the launcher and the frame, unseen, into the page. */
  build(): void {
    if (this.#stage || this.#gone) return;
    const path = [this.agent, this.environment].map(encodeURIComponent).join("/");
    const stage = makeStage(`${this.#origin}/frame/${path}`, () => this.#show(!this.#opened));
    this.#stage = stage;
    stage.hide(this.#hidden);
    this.#line.attach(stage.frame, () => this.#unreachable());
    stage.show(this.#opened);
  }

  #hear(message: ToPage): void {
    switch (message.type) {
      case "look":
        if (message.once && this.written) {
          this.written = false;
          // oxlint-disable-next-line no-console -- the console is where an integrator looks first
          console.warn("[maitred] one_time_tokens: this agent takes a token once, and `data-token` has but one. Use `identify` with `getToken`");
        }
        return this.#stage?.dress(message);
      case "ask":
        void this.#source.answer(message.reason).then((answer) => this.#line.tell({ type: "answer", id: message.id, answer }));
        return undefined;
      case "standing":
        this.#standing = { assurance: message.assurance, contact: message.contact };
        return undefined;
      case "close":
        return this.#show(false);
      case "event":
        return this.#pass(message.name, message.detail);
      case "done":
        return undefined;
      default:
        return message satisfies never;
    }
  }

  #pass(name: EventName, detail: Detail): void {
    if (name === "error" || name === "identify_failed") complain(detail as Failure);
    if (name === "unread") {
      this.#unread = Number(detail["count"]);
      this.#stage?.label(this.#opened, this.#unread);
    }
    this.#emit(name, detail);
  }

  #emit(name: EventName, detail: Detail = {}): void {
    for (const handler of this.#handlers.get(name) ?? []) {
      try {
        handler(detail);
      } catch (error) {
        reportError(error);
      }
    }
  }

  #unreachable(): void {
    this.#pass("error", {
      code: "frame_unreachable",
      message: `the chat at ${this.#origin} did not answer within 10 s`,
      hint: `Allow the origin ${location.origin} for this agent (${this.environment}), and ${this.#origin} in this page's frame-src`,
    });
  }

  #show(open: boolean): void {
    if (open) this.build();
    if (open === this.#opened) return;
    this.#opened = open;
    this.#stage?.label(open, this.#unread);
    this.#stage?.show(open);
    this.#line.tell({ type: "shown", open });
    this.#emit(open ? "open" : "close");
  }

  #hide(hidden: boolean): void {
    this.#hidden = hidden;
    this.#stage?.hide(hidden);
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    const inside = event.composedPath().includes(this.#stage?.frame.parentElement ?? window);
    if (event.key === "Escape" && inside) this.#show(false);
  };

  #handlersOf(event: unknown, handler: unknown): Set<Handler> {
    if (typeof handler !== "function") throw badCommand("on and off need an event and a function");
    const handlers = this.#handlers.get(String(event)) ?? new Set();
    this.#handlers.set(String(event), handlers);
    return handlers;
  }

  #destroy(): void {
    this.#gone = true;
    this.#line.close({ code: "destroyed", message: DESTROYED });
    this.#stage?.remove();
    removeEventListener("keydown", this.#onKey);
    this.#handlers.clear();
    delete window.maitred;
  }
}

function start(script: HTMLScriptElement, queued: readonly ArrayLike<unknown>[]): Global {
  const { agent = "", environment = "production", token, locale, open } = script.dataset;
  // What records or reports the page's DOM gets no token of it (S1).
  script.removeAttribute("data-token");
  const widget = new Widget(script.src, agent, environment, !!token);
  const maitred: Global = (command, ...args) => {
    const result = widget.run(command, args);
    // Said once, here; a page that does not look at the promise gets no second report.
    result.catch((failure: Failure) => failure.code === "bad_command" && complain(failure));
    return result;
  };
  maitred.loaded = true;

  if (!agent) complain({ code: "bad_embed", message: "the script tag needs data-agent" });
  if (locale) void maitred("set", { locale });
  if (token) void maitred("identify", { token });
  for (const [command, ...args] of queued.map((call) => Array.from(call))) void maitred(String(command), ...args);
  if (open !== undefined && open !== "false") void maitred("open");
  else whenIdle(() => widget.build());
  return maitred;
}

if (window.maitred?.loaded) complain({ code: "bad_embed", message: "the script is embedded twice" });
else if (document.currentScript instanceof HTMLScriptElement) window.maitred = start(document.currentScript, window.maitred?.q ?? []);
