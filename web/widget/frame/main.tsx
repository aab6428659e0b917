/** Puts the parts of the frame together and lets them talk. */
import { render } from "preact";
import type { PublicAgent } from "../../protocol/index.ts";
import { acceptPorts, readToFrame, type Answer, type Detail, type EventName, type Failure, type Reason, type ToFrame, type ToPage } from "../channel.ts";
import { Api, Over, pause, persist } from "./api.ts";
import { accentOf } from "./colour.ts";
import { Identity } from "./identity.ts";
import { Others } from "./others.ts";
import { Keep } from "./storage.ts";
import { Store } from "./store.ts";
import { Thread } from "./thread.ts";
import { Chat } from "./view.tsx";
import type { Actions } from "./view/actions.ts";
import { isRightToLeft } from "./words.ts";

/** After a logout in another tab, the page of this one gets this long to finish its own. */
const MOMENT = 1000;

const visible = () => document.visibilityState === "visible";

function failureOf(error: unknown): Failure {
  if (error instanceof Over) return { code: "interrupted", message: error.message };
  const { code, message, hint } = Object(error) as Partial<Failure>;
  return { code: code ?? "unreachable", message: message ?? String(error), ...(hint !== undefined && { hint }) };
}

function start(port: MessagePort, pageOrigin: string, root: Element): void {
  const [, , agent = "", environment = ""] = location.pathname.split("/").map(decodeURIComponent);
  const name = `maitred:${agent}:${environment}`;
  const asked = new Map<number, (answer: Answer) => void>();
  let questions = 0;

  const tell = (message: ToPage) => port.postMessage(message);
  const page = {
    emit: (event: EventName, detail: Detail = {}) => tell({ type: "event", name: event, detail }),
    ask: (reason: Reason) =>
      new Promise<Answer>((resolve) => {
        asked.set(++questions, resolve);
        tell({ type: "ask", id: questions, reason });
      }),
  };
  const api = new Api("");
  const store = new Store();
  const keep = new Keep(name);
  const attention = { present: visible, changed: (listener: () => void) => document.addEventListener("visibilitychange", listener) };
  const attended = async () => {
    await pause(MOMENT);
    if (!visible()) await new Promise<void>((resolve) => document.addEventListener("visibilitychange", () => resolve(), { once: true }));
  };
  const others = new Others(name);
  const thread: Thread = new Thread({ store, page, attention, ended: (visit, code) => identity.expired(visit, code) });
  const identity: Identity = new Identity({
    api, store, keep, page, others, attended,
    place: { agent, environment, page_origin: pageOrigin },
    entered: (visit) => {
      thread.enter(visit);
      if (!visit.contact && store.state.draft === "") store.dispatch({ type: "composed", text: keep.read("draft") ?? "" });
    },
  });

  const quietly = (work: Promise<unknown>) => void work.catch(() => undefined);
  const report = (work: Promise<unknown>) => void work.catch((error: unknown) => {
    if (!(error instanceof Over)) page.emit("error", failureOf(error));
  });
  const send = (text: string) => {
    quietly(identity.wanted());
    return thread.send(text);
  };
  const compose = (text: string) => {
    store.dispatch({ type: "composed", text });
    // A verified visitor's draft stays in memory.
    const { phase } = store.state;
    if (phase.name === "live" && phase.contact === null) keep.write("draft", text);
  };

  const done = (id: number, work: Promise<unknown>) =>
    void work.then(
      (value) => tell({ type: "done", id, value }),
      (error: unknown) => tell({ type: "done", id, failure: failureOf(error) }),
    );
  const hear = (message: ToFrame) => {
    switch (message.type) {
      case "identify":
        return done(message.id, identity.identify("start"));
      case "logout":
        return done(message.id, identity.logout());
      case "send":
        return done(message.id, send(message.text));
      case "prefill":
        return compose(message.text);
      case "shown":
        store.dispatch({ type: "shown", open: message.open });
        if (message.open) quietly(identity.wanted());
        return undefined;
      case "set":
        return store.dispatch({ ...message, type: "preferences" });
      case "answer":
        asked.get(message.id)?.(message.answer);
        asked.delete(message.id);
        return undefined;
      default:
        return message satisfies never;
    }
  };
  port.onmessage = ({ data }: MessageEvent<unknown>) => {
    const message = readToFrame(data);
    if (message) hear(message);
  };

  const actions: Actions = {
    send: (text) => {
      compose("");
      quietly(send(text));
    },
    retryMessage: (id) => thread.retry(id),
    compose,
    close: () => tell({ type: "close" }),
    retryIdentity: () => quietly(identity.retry()),
    openList: () => report(thread.list()),
    closeList: () => store.dispatch({ type: "list", list: null }),
    show: (conversation) => report(thread.show(conversation)),
    notMine: () => report(thread.notMine()),
  };

  store.subscribe((state, before) => {
    if (state.phase !== before.phase) tell({ type: "standing", ...identity.standing });
    if (state.unread !== before.unread) page.emit("unread", { count: state.unread });
    if (state.theme !== before.theme) document.documentElement.dataset["theme"] = state.theme;
    if (state.locale !== before.locale) {
      document.documentElement.lang = state.locale;
      document.documentElement.dir = isRightToLeft(state.locale) ? "rtl" : "ltr";
    }
    if (state.agent && state.agent !== before.agent) {
      const { accent, ink } = accentOf(state.agent.appearance.accent);
      document.documentElement.style.setProperty("--accent", accent);
      document.documentElement.style.setProperty("--accent-ink", ink);
      const position = state.agent.appearance.position === "left" ? "left" : "right";
      tell({ type: "look", accent, ink, position, name: state.agent.name });
    }
  });

  const online = () => {
    store.dispatch({ type: "online", online: navigator.onLine });
    if (navigator.onLine && store.state.phase.name === "failed") quietly(identity.retry());
  };
  addEventListener("online", online);
  addEventListener("offline", online);

  // A page that comes back from the back/forward cache shows nothing before it was asked again (T16).
  addEventListener("pagehide", () => { document.documentElement.hidden = true; });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    const reveal = () => { document.documentElement.hidden = false; };
    identity.recheck().then(reveal, reveal);
  });

  tell({ type: "event", name: "ready", detail: {} });
  quietly(introduce());
  render(<Chat store={store} actions={actions} />, root);

  /** What may be shown before there is a session. */
  async function introduce(): Promise<void> {
    try {
      const path = `/v1/agents/${encodeURIComponent(agent)}/${encodeURIComponent(environment)}`;
      const known = await persist(() => api.json<PublicAgent>("GET", path), 4);
      if (!store.state.agent) store.dispatch({ type: "agent", agent: known, greeting: known.greeting });
    } catch (error) {
      page.emit("error", failureOf(error));
    }
  }
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
