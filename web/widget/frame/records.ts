/**
 * The visitor's conversations, as far as they are known here: who spoke last, and
 * what is unread.
 *
 * The server says how things stood when it was asked, and entries tell what came
 * since. Either may arrive late, so every word is placed by its time: none is
 * counted twice, and what is older never overwrites what is newer.
 */
import type { Conversation, Entry } from "../../protocol/index.ts";

export type Records = { readonly [id: string]: Conversation };

/** Up to which entry each conversation was read here, where the server does not know it yet. */
export type Marks = { readonly [id: string]: number };

export type Known = { readonly records: Records; readonly marks: Marks };

/** Times of the wire compare as text once their fractions are equally long. */
const stamp = (at: string): string => at.slice(0, 19) + (/\.(\d+)/.exec(at)?.[1] ?? "").padEnd(9, "0");

const isLater = (at: string | undefined, than: string | undefined): boolean =>
  at !== undefined && (than === undefined || stamp(at) > stamp(than));

/** How many messages wait, in all conversations together. */
export const unreadIn = (records: Records): number => Object.values(records).reduce((sum, { unread }) => sum + (unread ?? 0), 0);

/** In the order in which they are listed: those that go on before those that have ended, the latest first. Empty ones are left out. */
export const listed = (records: Records): Conversation[] =>
  Object.values(records)
    .filter((each) => each.last_message !== null)
    .toSorted((a, b) => Number(a.closed_at !== null) - Number(b.closed_at !== null) || (stamp(a.updated_at) < stamp(b.updated_at) ? 1 : -1));

function without<Value>(values: { readonly [id: string]: Value }, id: string): { readonly [id: string]: Value } {
  const { [id]: _, ...rest } = values;
  return rest;
}

function merged(known: Conversation, news: Conversation, mark: number): Conversation {
  const wordsAreNewer = isLater(known.last_message?.at, news.last_message?.at);
  const { last_message, updated_at } = wordsAreNewer ? known : news;
  // What was read here is read, although the server has yet to hear of it.
  const isCounted = mark <= news.read_to && (news.read_to > known.read_to || !wordsAreNewer);
  return { ...news, last_message, updated_at, unread: isCounted ? news.unread : known.unread, read_to: Math.max(known.read_to, news.read_to) };
}

/** News of one conversation. */
export function withRecord({ records, marks }: Known, news: Conversation): Known {
  const { id } = news;
  const known = records[id];
  const mark = marks[id] ?? 0;
  return {
    records: { ...records, [id]: known ? merged(known, news, mark) : news },
    marks: mark !== 0 && mark <= news.read_to ? without(marks, id) : marks,
  };
}

/** All that there are; what else was known is gone, but for `kept`. */
export function withAll(known: Known, all: readonly Conversation[], kept: string | null): Known {
  const still = new Set(all.map(({ id }) => id));
  const gone = Object.keys(known.records).filter((id) => !still.has(id) && id !== kept);
  return all.reduce(withRecord, gone.reduce(withoutRecord, known));
}

export function withoutRecord({ records, marks }: Known, id: string): Known {
  return { records: without(records, id), marks: without(marks, id) };
}

/** Something was said. `seen`: it was on screen when it came. */
export function withWords(known: Known, entry: Entry, seen: boolean): Known {
  const record = known.records[entry.conversation];
  if (!record || entry.kind !== "message" || !isLater(entry.at, record.last_message?.at)) return known;
  const { by, text, at, number } = entry;
  const isNews = by !== "visitor" && number > Math.max(record.read_to, known.marks[record.id] ?? 0);
  const unread = isNews && !seen ? record.unread + 1 : record.unread;
  const next = { ...known, records: { ...known.records, [record.id]: { ...record, last_message: { by, text, at }, updated_at: at, unread } } };
  return isNews && seen ? readTo(next, record.id, number) : next;
}

/** The visitor has read a conversation, up to that entry and here. */
export function readTo({ records, marks }: Known, id: string, upTo: number): Known {
  const record = records[id];
  if (!record || upTo <= Math.max(record.read_to, marks[id] ?? 0)) return { records, marks };
  return { records: { ...records, [id]: { ...record, unread: 0 } }, marks: { ...marks, [id]: upTo } };
}

/** The server knows that the visitor has read so far. */
export function marked({ records, marks }: Known, id: string, upTo: number): Known {
  const record = records[id];
  return {
    records: record ? { ...records, [id]: { ...record, read_to: Math.max(record.read_to, upTo) } } : records,
    marks: (marks[id] ?? 0) <= upTo ? without(marks, id) : marks,
  };
}
