/** What goes on in each conversation at this moment, on screen or not. None of it is stored anywhere. */
import type { Entry } from "../../protocol/index.ts";

/** The agent's words while they come. `broken` when some were missed: then only the whole entry is shown. */
export type Reply = { readonly id: string; readonly text: string; readonly broken: boolean };

export type Live = {
  readonly reply: Reply | null;
  /** The agent works on an answer. */
  readonly typing: boolean;
  /** The visitor types on another device. */
  readonly elsewhere: boolean;
  /** The reply that was broken off: what still comes of it is not wanted. */
  readonly over: string | null;
};

export type Lives = { readonly [conversation: string]: Live };

export const still: Live = { reply: null, typing: false, elsewhere: false, over: null };

export const liveIn = (lives: Lives, conversation: string | null | undefined): Live => lives[conversation ?? ""] ?? still;

/** The agent is at work, and can be stopped. */
export const isAnswering = ({ reply, typing }: Live): boolean => typing || reply !== null;

/** Statuses that end an answer for good. */
const ENDS = ["stopped", "closed"];

/** What an entry means for what goes on around it. */
export function settled(live: Live, entry: Entry): Live {
  if (entry.kind === "call") return live;
  if (entry.kind === "message") {
    if (entry.by === "visitor") return { ...live, elsewhere: false };
    return { ...live, typing: false, reply: live.reply?.id === entry.id ? null : live.reply };
  }
  if (entry.status === "continued_from_before_sign_in") return live;
  return { ...live, typing: false, reply: null, over: ENDS.includes(entry.status) ? (live.reply?.id ?? live.over) : live.over };
}

/** More words of a reply. */
export function continued(live: Live, id: string, text: string): Live {
  if (live.over === id) return live;
  const { reply } = live;
  if (reply?.id !== id) return { ...live, typing: false, reply: { id, text, broken: false } };
  return { ...live, reply: { ...reply, text: reply.text + text } };
}

/** Words may have been missed: what is there of a reply is not continued. */
export const broken = (live: Live): Live => ({ ...live, elsewhere: false, reply: live.reply && { ...live.reply, broken: true } });
