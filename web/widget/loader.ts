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
type Command = (...args: readonly unknown[]) => unknown;
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

const badCommand = (message: string) => Object.assign(new Error(message), { code: "bad_command" });

function whenIdle(run: () => void): void {
  const idle = () => {
    if (typeof requestIdleCallback === "function") requestIdleCallback(run, { timeout: 2000 });
    else setTimeout(run, 200);
  };
  if (document.readyState === "complete") idle();
  else addEventListener("load", idle, { once: true });
}

function start(script: HTMLScriptElement, queued: readonly ArrayLike<unknown>[]): Global {
  const { agent = "", environment = "production", token, locale, open: startOpen } = script.dataset;
  const { origin } = new URL(script.src);
  const handlers = new Map<string, Set<Handler>>();
  const source = new Source();
  let stage: Stage | undefined;
  let standing: Standing = { assurance: null, contact: null };
  let opened = false;
  let hidden = false;
  let gone = false;
  let unread = 0;

  const emit = (name: EventName, detail: Detail = {}) => {
    for (const handler of handlers.get(name) ?? []) {
      try {
        handler(detail);
      } catch (error) {
        reportError(error);
      }
    }
  };

  const fail = (name: "error" | "identify_failed", failure: Failure) => {
    complain(failure);
    emit(name, failure);
  };

  const hear = (message: ToPage) => {
    switch (message.type) {
      case "look":
        stage?.dress(message);
        break;
      case "ask":
        void source.answer(message.reason).then((answer) => line.tell({ type: "answer", id: message.id, answer }));
        break;
      case "standing":
        standing = { assurance: message.assurance, contact: message.contact };
        break;
      case "close":
        show(false);
        break;
      case "event": {
        const { name, detail } = message;
        if (name === "error" || name === "identify_failed") complain(detail as Failure);
        if (name === "unread") {
          unread = Number(detail["count"]);
          stage?.label(opened, unread);
        }
        emit(name, detail);
      }
    }
  };
  const line = new Line(origin, hear);

  const unreachable = () =>
    fail("error", {
      code: "frame_unreachable",
      message: `the chat at ${origin} did not answer within 10 s`,
      hint: `Allow the origin ${location.origin} for this agent (${environment}), and ${origin} in this page's frame-src`,
    });

  const build = () => {
    if (stage || gone) return;
    const path = [agent, environment].map(encodeURIComponent).join("/");
    stage = makeStage(`${origin}/frame/${path}`, () => show(!opened));
    stage.hide(hidden);
    line.attach(stage.frame, unreachable);
    stage.show(opened);
  };

  const show = (open: boolean) => {
    if (open) build();
    if (open === opened) return;
    opened = open;
    stage?.label(open, unread);
    stage?.show(open);
    line.tell({ type: "shown", open });
    emit(open ? "open" : "close");
  };

  const hide = (hide: boolean) => {
    hidden = hide;
    stage?.hide(hide);
  };

  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape" && opened && event.composedPath().includes(stage?.frame.parentElement ?? window)) show(false);
  };
  addEventListener("keydown", onKey);

  const on = (event: unknown, handler: unknown, add: boolean) => {
    const set = handlers.get(String(event)) ?? new Set<Handler>();
    handlers.set(String(event), set);
    if (typeof handler !== "function") throw badCommand(`${add ? "on" : "off"} needs an event and a function`);
    if (add) set.add(handler as Handler);
    else set.delete(handler as Handler);
  };

  const identify = (given: unknown) => {
    const wrong = source.set(given);
    if (wrong) throw badCommand(wrong);
    return line.request({ type: "identify" });
  };

  const commands: { readonly [name: string]: Command } = {
    identify,
    logout: () => {
      source.clear();
      return line.request({ type: "logout" });
    },
    open: () => show(true),
    close: () => show(false),
    toggle: () => show(!opened),
    show: () => hide(false),
    hide: () => hide(true),
    destroy: () => {
      gone = true;
      line.close({ code: "destroyed", message: "the widget was destroyed" });
      stage?.remove();
      removeEventListener("keydown", onKey);
      handlers.clear();
      delete window.maitred;
    },
    send: (text) => line.request({ type: "send", text: String(text ?? "") }),
    prefill: (text) => line.tell({ type: "prefill", text: String(text ?? "") }),
    set: (preferences) => line.tell({ ...(preferences as Preferences), type: "set" }),
    on: (event, handler) => on(event, handler, true),
    off: (event, handler) => on(event, handler, false),
    state: () => ({ open: opened, unread, ...standing }),
  };

  const maitred: Global = (command, ...args) => {
    // An async function: what a command throws becomes a rejected promise.
    const result = (async () => {
      if (gone) throw Object.assign(new Error("the widget was destroyed"), { code: "destroyed" });
      const run = Object.hasOwn(commands, command) ? commands[command] : undefined;
      if (!run) throw badCommand(`unknown command \`${command}\`; known: ${Object.keys(commands).join(" ")}`);
      return run(...args);
    })();
    // Said once, here; a page that does not look at the promise gets no second report.
    result.catch((failure: Failure) => failure.code === "bad_command" && complain(failure));
    return result;
  };
  maitred.loaded = true;

  if (locale) void maitred("set", { locale });
  if (token) void maitred("identify", { token });
  for (const [command, ...args] of queued.map((call) => Array.from(call))) void maitred(String(command), ...args);
  if (startOpen !== undefined && startOpen !== "false") void maitred("open");
  else whenIdle(build);
  if (!agent) complain({ code: "bad_embed", message: "the script tag needs data-agent" });
  return maitred;
}

if (window.maitred?.loaded) complain({ code: "bad_embed", message: "the script is embedded twice" });
else if (document.currentScript instanceof HTMLScriptElement) window.maitred = start(document.currentScript, window.maitred?.q ?? []);
