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
import type { Agent, Assurance, Contact, Conversation, Entry, MessageEntry, Opened, PublicAgent } from "../../protocol/index.ts";
import type { Theme } from "../channel.ts";

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

/** The agent's words while they come. `broken` when some were missed: then only the whole entry is shown. */
export type Reply = { readonly id: string; readonly text: string; readonly broken: boolean };

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

/** What a visitor had on the desk. */
type Desk = {
  readonly conversation: Conversation | null;
  readonly outbox: readonly Outgoing[];
  readonly draft: string;
};

export type State = Desk & {
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
  readonly reply: Reply | null;
  readonly typing: boolean;
  readonly unread: number;
  /** The list of conversations, while it is on screen; its items once they are known. */
  readonly list: { readonly items: readonly Conversation[] | null } | null;
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
  /** Puts a conversation on screen, or nothing; or brings news of the one that is there. */
  | { readonly type: "conversation"; readonly conversation: Conversation | null }
  /** A conversation was made for the message that waits. */
  | { readonly type: "begun"; readonly conversation: Conversation }
  | { readonly type: "entries"; readonly conversation: string; readonly entries: readonly Entry[]; readonly fresh: boolean }
  | { readonly type: "entry"; readonly entry: Entry; readonly seen: boolean }
  | { readonly type: "delta"; readonly conversation: string; readonly reply: string; readonly text: string }
  | { readonly type: "typing"; readonly conversation: string; readonly typing: boolean }
  | { readonly type: "list"; readonly list: State["list"] }
  | { readonly type: "code"; readonly form: CodeForm | null }
  | { readonly type: "proven"; readonly assurance: Assurance; readonly email: string }
  /** What a code had proven counts no more. */
  | { readonly type: "lapsed" };

const empty = {
  conversation: null,
  outbox: [],
  draft: "",
  entries: [],
  loaded: false,
  reply: null,
  typing: false,
  unread: 0,
  list: null,
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
    case "link":
      return {
        ...state,
        link: change.link,
        reply: change.link === "lost" ? broken(state) : state.reply,
      };
    case "online":
      return { ...state, online: change.online };
    case "shown":
      return { ...state, open: change.open, unread: change.open ? 0 : state.unread };
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
      return conversationShown(state, change.conversation);
    case "begun":
      return { ...state, conversation: change.conversation, loaded: true };
    case "entries":
      if (change.conversation !== state.conversation?.id) return state;
      return { ...withEntries(change.fresh ? { ...state, entries: [], reply: broken(state) } : state, change.entries), loaded: true };
    case "entry":
      return arrived(state, change.entry, change.seen);
    case "delta":
      return continued(state, change);
    case "typing":
      return change.conversation === state.conversation?.id ? { ...state, typing: change.typing } : state;
    case "list":
      return { ...state, list: change.list };
    case "code":
      return { ...state, code: change.form };
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

/** Words may have been missed: what is there of the reply is not continued. */
const broken = ({ reply }: State): Reply | null => reply && { ...reply, broken: true };

function signedIn(state: State, opened: Opened): State {
  const { assurance, contact = null, actor, test = false, claimed_email: claimedEmail = null } = opened;
  const phase: Phase = { name: "live", assurance, contact, actor: actor?.id ?? null, test, claimedEmail };
  const next = { ...state, phase, agent: { ...state.agent, ...opened.agent }, greeting: opened.greeting, held: null };
  const before = owner(state.phase);
  const resumed = opened.conversation ?? null;
  // Renewed, or signed in while chatting: what is on screen stays if the server kept it theirs (M1).
  if (before !== null) {
    if (before === owner(phase)) return next;
    const moved = state.conversation?.id === resumed?.id;
    const rest = moved ? { code: null, proven: null } : { ...empty, draft: state.draft };
    return { ...next, ...rest, conversation: resumed };
  }
  const { held } = state;
  if (held && held.owner === owner(phase)) {
    return { ...next, ...empty, conversation: held.conversation ?? resumed, outbox: held.outbox, draft: held.draft };
  }
  // Nothing of anybody was on screen; what was written since is this visitor's.
  return { ...next, ...empty, conversation: resumed, outbox: state.outbox, draft: state.draft };
}

function locked(state: State, phase: Phase): State {
  const who = owner(state.phase);
  const { conversation, outbox, draft } = state;
  const gone = { ...state, ...empty, phase, greeting: "", link: "off" as const };
  return who === null ? { ...gone, outbox, draft } : { ...gone, held: { owner: who, conversation, outbox, draft } };
}

function conversationShown(state: State, conversation: Conversation | null): State {
  if (conversation?.id === state.conversation?.id && conversation) return { ...state, conversation, list: null };
  return { ...state, conversation, outbox: [], entries: [], loaded: conversation === null, reply: null, typing: false, list: null };
}

function withOutgoing(state: State, id: string, how: Pick<Outgoing, "state" | "problem">): State {
  return {
    ...state,
    outbox: state.outbox.map((o) => (o.id === id ? { id: o.id, text: o.text, ...how } : o)),
  };
}

const isMessage = (entry: Entry): entry is MessageEntry => entry.kind === "message";

function withEntries(state: State, arriving: readonly Entry[]): State {
  // A reconnect replays entries we may already have; the newest copy of a number counts.
  const byNumber = new Map(state.entries.map((entry) => [entry.number, entry]));
  for (const entry of arriving) byNumber.set(entry.number, entry);
  const entries = [...byNumber.values()].toSorted((a, b) => a.number - b.number);
  const stored = new Set(entries.filter(isMessage).map((entry) => entry.client_id));
  const whole = entries.some((entry) => entry.id === state.reply?.id);
  return {
    ...state,
    entries,
    outbox: state.outbox.filter((o) => !stored.has(o.id)),
    reply: whole ? null : state.reply,
  };
}

function arrived(state: State, entry: Entry, seen: boolean): State {
  const fromOthers = isMessage(entry) && entry.by !== "visitor";
  const known = state.entries.some((e) => e.number === entry.number && e.conversation === entry.conversation);
  const unread = fromOthers && !seen && !known ? state.unread + 1 : state.unread;
  if (entry.conversation !== state.conversation?.id) return { ...state, unread };
  const ends = fromOthers || (entry.kind === "status" && entry.status !== "continued_from_before_sign_in");
  const next = withEntries(state, [entry]);
  return { ...next, unread, typing: ends ? false : next.typing, reply: ends && entry.kind === "status" ? null : next.reply };
}

function continued(state: State, delta: { conversation: string; reply: string; text: string }): State {
  if (delta.conversation !== state.conversation?.id) return state;
  if (state.entries.some((entry) => entry.id === delta.reply)) return state;
  const { reply } = state;
  if (reply?.id !== delta.reply) return { ...state, typing: false, reply: { id: delta.reply, text: delta.text, broken: false } };
  return { ...state, reply: { ...reply, text: reply.text + delta.text } };
}
