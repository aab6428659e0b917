/**
 * What the visitor sees, and the one function that changes it.
 *
 * No DOM, no clock, no network: `reduce` answers from its arguments alone.
 *
 * What always holds:
 *
 * - Entries, replies and drafts are of one visitor. `locked` and `forgotten` take
 *   them off the screen in the same change that says why.
 * - `held` is what a locked visitor had begun. It is never shown, and comes back
 *   only when the same visitor signs in again.
 */
import type { Agent, Assurance, Contact, Conversation, Entry, Found, Opened, PublicAgent } from "../../protocol/index.ts";
import type { Theme } from "../channel.ts";
import { broken, continued, liveIn, settled, still, type Live, type Lives } from "./live.ts";
import { marked, readTo, unreadIn, withAll, withoutRecord, withRecord, withWords, type Known, type Marks, type Records } from "./records.ts";

/** How far this frame is with knowing who is there. */
export type Phase =
  /** Nobody has asked yet; a session is made when the window is first opened. */
  | { readonly name: "idle" }
  /** `named`: the page is being asked, or named somebody. Until that is settled, nothing is shown. */
  | { readonly name: "connecting"; readonly named: boolean }
  | { readonly name: "live"; readonly assurance: Assurance; readonly contact: Contact | null; readonly actor: string | null; readonly test: boolean; readonly claimedEmail: string | null }
  /** The session ended; the page is being asked for a new token. */
  | { readonly name: "renewing" }
  /** The session ended, and the page could not say who is there. */
  | { readonly name: "expired" }
  /** The page named a visitor and the server did not believe it. */
  | { readonly name: "refused"; readonly code: string; readonly message: string }
  /** This agent talks to signed-in visitors only. */
  | { readonly name: "sign_in" }
  /** Everything that was kept of the visitor is erased, as they wanted. `named`: the site says who it was, and what it said before counts no more. */
  | { readonly name: "erased"; readonly named: boolean }
  /** No session could be made, for a reason that is not about identity. */
  | { readonly name: "failed"; readonly code: string; readonly message: string };

/** A message that the server has not confirmed yet. */
export type Outgoing = {
  /** The client id: the same over every attempt, so that the message is stored once. */
  readonly id: string;
  readonly text: string;
  readonly state: "sending" | "failed";
  /** Why it failed, in words. */
  readonly problem?: string;
};

/** How far a visitor is with proving an address by a code (A3). */
export type CodeForm = {
  readonly step: "address" | "code";
  readonly email: string;
  readonly busy: boolean;
  /** No further code may be asked for at the moment. */
  readonly waits: boolean;
  /** What went wrong, in words. */
  readonly problem: string | null;
};

/** The list of conversations, while it is on screen. */
export type List = {
  /** What is searched for; too short is nothing. */
  readonly query: string;
  /** What was found, once it is known. */
  readonly found: readonly Found[] | null;
  /** The server could not be asked. */
  readonly failed: boolean;
};

/** A question that stands before everything else. */
export type Panel = {
  readonly name: "rename" | "forget";
  readonly busy: boolean;
  /** What went wrong, in words. */
  readonly problem: string | null;
};

/** What a visitor had on the desk. */
type Desk = {
  readonly conversation: Conversation | null;
  readonly outbox: readonly Outgoing[];
  readonly draft: string;
};

export type State = Desk & {
  /** Every conversation that is known here, the one on screen among them. */
  readonly records: Records;
  /** All of the visitor's conversations are known. */
  readonly listed: boolean;
  readonly marks: Marks;
  /** Of all conversations together. */
  readonly unread: number;
  readonly live: Lives;
  /** The visitor wanted a blank page: nothing that happens elsewhere takes its place. */
  readonly blank: boolean;
  /** The entry that was searched for, to be brought into view. */
  readonly sought: number | null;
  /** As the public knows it; sessions tell the part of it that `Agent` is. */
  readonly agent: (Agent & Partial<PublicAgent>) | null;
  readonly greeting: string;
  readonly phase: Phase;
  readonly open: boolean;
  readonly online: boolean;
  readonly link: "off" | "connecting" | "live" | "lost";
  readonly entries: readonly Entry[];
  /** The entries of this conversation have been fetched. */
  readonly loaded: boolean;
  readonly list: List | null;
  readonly panel: Panel | null;
  /** Something that the visitor wanted did not work, in words. */
  readonly trouble: string | null;
  /** The form, while it is on screen. */
  readonly code: CodeForm | null;
  /** The address that a code has proven. */
  readonly proven: string | null;
  readonly held: (Desk & { readonly owner: string }) | null;
  readonly theme: Theme;
  readonly locale: string;
};

export type Change =
  | { readonly type: "agent"; readonly agent: PublicAgent }
  | { readonly type: "connecting"; readonly named: boolean }
  | { readonly type: "signed_in"; readonly opened: Opened }
  | { readonly type: "locked"; readonly phase: Phase }
  | { readonly type: "forgotten" }
  | { readonly type: "link"; readonly link: State["link"] }
  | { readonly type: "online"; readonly online: boolean }
  | { readonly type: "shown"; readonly open: boolean }
  | { readonly type: "preferences"; readonly theme?: Theme; readonly locale?: string }
  | { readonly type: "composed"; readonly text: string }
  | { readonly type: "queued"; readonly outgoing: Outgoing }
  | { readonly type: "failed"; readonly id: string; readonly problem: string }
  | { readonly type: "retried"; readonly id: string }
  /** Puts a conversation on screen, or nothing: `blank` if the visitor wanted it so. */
  | { readonly type: "conversation"; readonly conversation: Conversation | null; readonly blank?: boolean; readonly sought?: number }
  /** All conversations that there are. */
  | { readonly type: "records"; readonly conversations: readonly Conversation[] }
  /** News of a conversation. */
  | { readonly type: "record"; readonly conversation: Conversation }
  /** The conversation is not the visitor's any more. */
  | { readonly type: "gone"; readonly conversation: string }
  /** The visitor looks at what is on screen. */
  | { readonly type: "looked" }
  /** The server knows what was read. */
  | { readonly type: "marked"; readonly conversation: string; readonly upTo: number }
  /** A conversation was made for the message that waits. */
  | { readonly type: "begun"; readonly conversation: Conversation }
  | { readonly type: "entries"; readonly conversation: string; readonly entries: readonly Entry[]; readonly fresh: boolean }
  | { readonly type: "entry"; readonly entry: Entry; readonly seen: boolean }
  | { readonly type: "delta"; readonly conversation: string; readonly reply: string; readonly text: string }
  | { readonly type: "typing"; readonly conversation: string; readonly by: "agent" | "visitor"; readonly typing: boolean }
  | { readonly type: "list"; readonly open: boolean }
  | { readonly type: "searched"; readonly query: string }
  | { readonly type: "found"; readonly query: string; readonly items: readonly Found[] }
  | { readonly type: "unlisted" }
  | { readonly type: "panel"; readonly panel: Panel | null }
  | { readonly type: "trouble"; readonly text: string | null }
  | { readonly type: "code"; readonly form: CodeForm | null }
  | { readonly type: "proven"; readonly assurance: Assurance; readonly email: string }
  /** What a code had proven counts no more. */
  | { readonly type: "lapsed" };

const empty = {
  conversation: null,
  outbox: [],
  draft: "",
  records: {},
  listed: false,
  marks: {},
  unread: 0,
  live: {},
  blank: false,
  sought: null,
  entries: [],
  loaded: false,
  list: null,
  panel: null,
  trouble: null,
  code: null,
  proven: null,
} satisfies Partial<State>;

export const initial: State = {
  ...empty,
  agent: null,
  greeting: "",
  phase: { name: "idle" },
  open: false,
  online: true,
  link: "off",
  held: null,
  theme: "auto",
  locale: "en",
};

/** Nothing looked for yet. */
const list: List = { query: "", found: null, failed: false };

/** Whose desk it is. Anonymous visitors of one page load are one owner: nothing told them apart. */
const owner = (phase: Phase): string | null =>
  phase.name === "live" ? (phase.contact?.id ?? "anonymous") : null;

export function reduce(state: State, change: Change): State {
  switch (change.type) {
    case "agent":
      // What a session said meanwhile is newer.
      return { ...state, agent: { ...change.agent, ...state.agent }, greeting: state.agent ? state.greeting : change.agent.greeting };
    case "connecting":
      return { ...state, phase: { name: "connecting", named: change.named } };
    case "signed_in":
      return signedIn(state, change.opened);
    case "locked":
      return locked(state, change.phase);
    case "forgotten":
      return { ...state, ...empty, held: null, greeting: "", link: "off", phase: { name: "idle" } };
    case "link": {
      const live = change.link === "lost" ? Object.fromEntries(Object.entries(state.live).map(([id, each]) => [id, broken(each)])) : state.live;
      return { ...state, link: change.link, live };
    }
    case "online":
      return { ...state, online: change.online };
    case "shown":
      return { ...state, open: change.open };
    case "preferences":
      return { ...state, theme: change.theme ?? state.theme, locale: change.locale ?? state.locale };
    case "composed":
      return { ...state, draft: change.text };
    case "queued":
      return { ...state, outbox: [...state.outbox, change.outgoing] };
    case "failed":
      return withOutgoing(state, change.id, { state: "failed", problem: change.problem });
    case "retried":
      return withOutgoing(state, change.id, { state: "sending" });
    case "conversation":
      return conversationShown(state, change.conversation, change.blank ?? false, change.sought ?? null);
    case "begun":
      return withKnown({ ...state, conversation: change.conversation, loaded: true, blank: false }, withRecord(state, change.conversation));
    case "records":
      return { ...withKnown(state, withAll(state, change.conversations, state.conversation?.id ?? null)), listed: true };
    case "record":
      return withKnown(state, withRecord(state, change.conversation));
    case "gone":
      return gone(state, change.conversation);
    case "looked":
      return withKnown(state, readTo(state, state.conversation?.id ?? "", state.entries.at(-1)?.number ?? 0));
    case "marked":
      return withKnown(state, marked(state, change.conversation, change.upTo));
    case "entries":
      if (change.conversation !== state.conversation?.id) return state;
      return { ...withEntries(change.fresh ? { ...state, entries: [] } : state, change.entries), loaded: true };
    case "entry":
      return arrived(state, change.entry, change.seen);
    case "delta":
      if (state.entries.some((entry) => entry.id === change.reply)) return state;
      return withLive(state, change.conversation, (live) => continued(live, change.reply, change.text));
    case "typing":
      return withLive(state, change.conversation, (live) => ({ ...live, [change.by === "agent" ? "typing" : "elsewhere"]: change.typing }));
    case "list":
      return { ...state, list: change.open ? list : null, panel: null, trouble: null };
    case "searched":
      return state.list ? { ...state, list: { ...list, query: change.query } } : state;
    case "found":
      return state.list?.query === change.query ? { ...state, list: { ...state.list, found: change.items, failed: false } } : state;
    case "unlisted":
      return state.list ? { ...state, list: { ...state.list, failed: true } } : state;
    case "panel":
      return { ...state, panel: change.panel, code: change.panel ? null : state.code, trouble: null };
    case "trouble":
      return { ...state, trouble: change.text };
    case "code":
      return { ...state, code: change.form, panel: change.form ? null : state.panel };
    case "proven":
      return state.phase.name === "live"
        ? { ...state, phase: { ...state.phase, assurance: change.assurance }, code: null, proven: change.email }
        : state;
    case "lapsed":
      return state.phase.name === "live" && state.proven !== null
        ? { ...state, phase: { ...state.phase, assurance: state.phase.contact ? state.phase.assurance : "anonymous" }, proven: null }
        : state;
    default:
      return change satisfies never;
  }
}

/** What goes on in the conversation on screen. */
export const liveOn = (state: State): Live => liveIn(state.live, state.conversation?.id);

/** Something on screen has not been marked as read. */
export function isUnseen({ phase, open, list, loaded, conversation, entries, marks }: State): boolean {
  if (phase.name !== "live" || !open || list || !loaded || !conversation) return false;
  const upTo = Math.max(conversation.read_to, marks[conversation.id] ?? 0);
  return (entries.at(-1)?.number ?? 0) > upTo && entries.some((e) => e.kind === "message" && e.by !== "visitor" && e.number > upTo);
}

function withLive(state: State, conversation: string, next: (live: Live) => Live): State {
  const { [conversation]: before = still, ...rest } = state.live;
  const live = next(before);
  if (live === before) return state;
  const isStill = !live.reply && !live.typing && !live.elsewhere && !live.over;
  return { ...state, live: isStill ? rest : { ...rest, [conversation]: live } };
}

/** The conversation on screen is one of those that are known; what is unread is counted here and nowhere else. */
function withKnown(state: State, { records, marks }: Known): State {
  const conversation = (state.conversation && records[state.conversation.id]) ?? state.conversation;
  return { ...state, records, marks, conversation, unread: unreadIn(records) };
}

function signedIn(state: State, opened: Opened): State {
  const { assurance, contact = null, actor, test = false, claimed_email: claimedEmail = null } = opened;
  const phase: Phase = { name: "live", assurance, contact, actor: actor?.id ?? null, test, claimedEmail };
  const next = { ...state, phase, agent: { ...state.agent, ...opened.agent }, greeting: opened.greeting, held: null };
  const before = owner(state.phase);
  const resumed = opened.conversation ?? null;
  const known = (all: State): State => (resumed ? withKnown(all, withRecord(all, resumed)) : all);
  // Renewed, or signed in while chatting: what is on screen stays if the server kept it theirs (M1).
  if (before !== null) {
    if (before === owner(phase)) return next;
    const moved = state.conversation?.id === resumed?.id;
    const { records, marks, unread, listed, list: noList, code, proven } = empty;
    const rest = moved ? { records, marks, unread, listed, list: noList, code, proven } : { ...empty, draft: state.draft };
    return known({ ...next, ...rest, conversation: resumed });
  }
  const { held } = state;
  if (held && held.owner === owner(phase)) {
    return known({ ...next, ...empty, conversation: held.conversation ?? resumed, outbox: held.outbox, draft: held.draft });
  }
  // Nothing of anybody was on screen; what was written since is this visitor's.
  return known({ ...next, ...empty, conversation: resumed, outbox: state.outbox, draft: state.draft });
}

function locked(state: State, phase: Phase): State {
  const who = owner(state.phase);
  const { conversation, outbox, draft } = state;
  const gone = { ...state, ...empty, phase, greeting: "", link: "off" as const };
  return who === null ? { ...gone, outbox, draft } : { ...gone, held: { owner: who, conversation, outbox, draft } };
}

function conversationShown(state: State, conversation: Conversation | null, blank: boolean, sought: number | null): State {
  const known = conversation ? withKnown(state, withRecord(state, conversation)) : state;
  const shown = { ...known, blank, sought, list: null, panel: null, trouble: null };
  if (conversation && conversation.id === state.conversation?.id) return shown;
  return { ...shown, conversation: conversation && (known.records[conversation.id] ?? null), outbox: [], entries: [], loaded: conversation === null };
}

function gone(state: State, conversation: string): State {
  const next = withKnown(withLive(state, conversation, () => still), withoutRecord(state, conversation));
  return state.conversation?.id === conversation ? { ...next, conversation: null, outbox: [], entries: [], loaded: true } : next;
}

function withOutgoing(state: State, id: string, how: Pick<Outgoing, "state" | "problem">): State {
  return {
    ...state,
    outbox: state.outbox.map((o) => (o.id === id ? { id: o.id, text: o.text, ...how } : o)),
  };
}

function withEntries(state: State, arriving: readonly Entry[]): State {
  // A reconnect replays entries we may already have; the newest copy of a number counts.
  const byNumber = new Map(state.entries.map((entry) => [entry.number, entry]));
  for (const entry of arriving) byNumber.set(entry.number, entry);
  const entries = [...byNumber.values()].toSorted((a, b) => a.number - b.number);
  const stored = new Set(entries.map((entry) => (entry.kind === "message" ? entry.client_id : undefined)));
  const next = { ...state, entries, outbox: state.outbox.filter((o) => !stored.has(o.id)) };
  const reply = liveOn(state).reply?.id;
  return state.conversation && entries.some((entry) => entry.id === reply)
    ? withLive(next, state.conversation.id, (live) => ({ ...live, reply: null }))
    : next;
}

function arrived(state: State, entry: Entry, seen: boolean): State {
  const known = withKnown(state, withWords(state, entry, seen));
  const next = withLive(known, entry.conversation, (live) => settled(live, entry));
  return entry.conversation === state.conversation?.id ? withEntries(next, [entry]) : next;
}
