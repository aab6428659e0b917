/** Puts the chat on our page: ports, the document, and the view. */
import { render } from "preact";
import type { PublicAgent } from "../../protocol/index.ts";
import { acceptPorts, readToFrame, type Answer, type Detail, type EventName, type Reason, type ToPage } from "../channel.ts";
import { Api, failureOf, Over, pause, persist } from "./api.ts";
import { Chat } from "./chat.ts";
import { accentOf } from "./colour.ts";
import { Keyring } from "./keyring.ts";
import { Others } from "./others.ts";
import type { Download } from "./shelf.ts";
import type { State } from "./state.ts";
import { Keep } from "./storage.ts";
import { App } from "./view.tsx";
import type { Actions } from "./view/actions.ts";
import { isRightToLeft } from "./words.ts";

/** After a logout in another tab, the page of this one gets this long to finish its own. */
const MOMENT = 1000;

const page = document.documentElement;
const present = () => document.visibilityState === "visible";
const onAttention = (listener: () => void) => document.addEventListener("visibilitychange", listener);
const quietly = (work: Promise<unknown>) => void work.catch(() => undefined);

async function attended(): Promise<void> {
  await pause(MOMENT);
  if (!present()) await new Promise<void>((resolve) => document.addEventListener("visibilitychange", () => resolve(), { once: true }));
}

/** The host page, at the other end of the port. */
class Host {
  #asked = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(private readonly port: MessagePort) {}

  tell = (message: ToPage): void => this.port.postMessage(message);

  emit = (name: EventName, detail: Detail = {}): void => this.tell({ type: "event", name, detail });

  ask = (reason: Reason): Promise<Answer> =>
    new Promise((resolve) => {
      this.#asked.set(++this.#last, resolve);
      this.tell({ type: "ask", id: this.#last, reason });
    });

  answered(id: number, answer: Answer): void {
    this.#asked.get(id)?.(answer);
    this.#asked.delete(id);
  }
}

function listen(port: MessagePort, host: Host, chat: Chat): void {
  port.onmessage = ({ data }: MessageEvent<unknown>) => {
    const message = readToFrame(data);
    if (!message) return;
    if (message.type === "answer") return host.answered(message.id, message.answer);
    const work = chat.hear(message);
    if (!("id" in message)) return quietly(work);
    const { id } = message;
    work.then(
      (value) => host.tell({ type: "done", id, value }),
      (error: unknown) => host.tell({ type: "done", id, failure: failureOf(error) }),
    );
  };
}

/** What the document and the host page follow of the state. */
function follow(state: State, before: State, host: Host, chat: Chat): void {
  if (state.phase !== before.phase) host.tell({ type: "standing", ...chat.identity.standing });
  if (state.unread !== before.unread) host.emit("unread", { count: state.unread });
  page.dataset["theme"] = state.theme;
  page.lang = state.locale;
  page.dir = isRightToLeft(state.locale) ? "rtl" : "ltr";
  if (!state.agent || state.agent === before.agent) return;
  const { accent, ink } = accentOf(state.agent.appearance.accent);
  page.style.setProperty("--accent", accent);
  page.style.setProperty("--accent-ink", ink);
  const position = state.agent.appearance.position === "left" ? "left" : "right";
  host.tell({ type: "look", accent, ink, position, name: state.agent.name, once: state.agent.one_time_tokens === true });
}

function watchWindow(chat: Chat): void {
  const online = () => {
    chat.store.dispatch({ type: "online", online: navigator.onLine });
    if (!navigator.onLine) return;
    quietly(chat.identity.connected());
    chat.hearing.wake();
  };
  addEventListener("online", online);
  addEventListener("offline", online);
  // A page that comes back from the back/forward cache shows nothing before it was asked again (T16).
  addEventListener("pagehide", () => {
    page.hidden = true;
  });
  addEventListener("pageshow", async (event) => {
    if (!event.persisted) return;
    await chat.identity.recheck();
    page.hidden = false;
  });
}

/** Hands a file to the browser, which asks the visitor where it goes or has its own place for such. */
function save({ name, content }: Download): void {
  const link = document.createElement("a");
  link.download = name;
  link.href = URL.createObjectURL(content);
  link.click();
  // The browser reads it after this.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function actionsOf(chat: Chat, host: Host): Actions {
  const { store, thread, shelf, deeds, identity, code } = chat;
  const report = (work: Promise<unknown>) =>
    void work.catch((error: unknown) => {
      if (!(error instanceof Over)) host.emit("error", failureOf(error));
    });
  return {
    send: (text) => {
      chat.compose("");
      quietly(chat.send(text));
    },
    retryMessage: (id) => thread.retry(id),
    compose: (text) => chat.write(text),
    close: () => host.tell({ type: "close" }),
    retryIdentity: () => quietly(identity.retry()),
    openList: () => report(shelf.open()),
    closeList: () => store.dispatch({ type: "list", open: false }),
    search: (query) => report(shelf.search(query)),
    show: (conversation, sought) => report(thread.show(conversation, sought)),
    stop: () => quietly(deeds.stop()),
    askTitle: () => deeds.askTitle(),
    rename: (title) => quietly(deeds.rename(title)),
    end: () => quietly(deeds.end()),
    reopen: () => quietly(deeds.reopen()),
    rate: (score, comment) => quietly(deeds.rate(score, comment)),
    download: (format) => quietly(deeds.download(format, save)),
    askForget: () => quietly(deeds.askForget()),
    forget: () => quietly(deeds.forget()),
    leavePanel: () => deeds.leavePanel(),
    notMine: () => report(thread.notMine()),
    openCode: () => code.open(),
    closeCode: () => code.close(),
    sendCode: (email) => quietly(code.send(email)),
    mendAddress: () => code.mend(),
    verifyCode: (typed) => quietly(code.verify(typed)),
  };
}

/** What may be shown before there is a session. */
async function introduce(api: Api, agent: string, environment: string, chat: Chat): Promise<void> {
  const path = `/v1/agents/${encodeURIComponent(agent)}/${encodeURIComponent(environment)}`;
  const known = await persist(() => api.json<PublicAgent>("GET", path), 4);
  chat.store.dispatch({ type: "agent", agent: known });
}

function start(port: MessagePort, pageOrigin: string, root: Element): void {
  const [, , agent = "", environment = ""] = location.pathname.split("/").map(decodeURIComponent);
  const name = `maitred:${agent}:${environment}`;
  const nonce = document.querySelector<HTMLMetaElement>("meta[name=dpop-nonce]")?.content;
  const api = new Api(location.origin, nonce);
  const host = new Host(port);
  const chat = new Chat({
    api,
    page: host,
    keep: new Keep(name),
    keyring: new Keyring(name),
    others: new Others(name),
    place: { agent, environment, page_origin: pageOrigin },
    attention: { present, changed: onAttention },
    attended,
  });
  chat.store.subscribe((state, before) => follow(state, before, host, chat));
  listen(port, host, chat);
  watchWindow(chat);
  host.emit("ready");
  introduce(api, agent, environment, chat).catch((error: unknown) => host.emit("error", failureOf(error)));
  render(<App store={chat.store} actions={actionsOf(chat, host)} />, root);
}

const root = document.getElementById("chat");
let begun = false;
if (root) {
  acceptPorts(window, (port, origin) => {
    // One page, one channel: a second hand-over would be somebody else's.
    if (begun) return;
    begun = true;
    start(port, origin, root);
  });
}
