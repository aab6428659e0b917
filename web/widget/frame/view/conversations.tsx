import { useRef } from "preact/hooks";
import type { Conversation, Found } from "../../../protocol/index.ts";
import { cropped, marked } from "../marked.ts";
import { plain } from "../markdown.ts";
import { listed } from "../records.ts";
import { isSearch } from "../shelf.ts";
import type { State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";

/** The hour of today, the day of this year, or the date. */
function when(at: string, locale: string): string {
  const [date, now] = [new Date(at), new Date()];
  if (date.toDateString() === now.toDateString()) return date.toLocaleTimeString(locale, { hour: "numeric", minute: "2-digit" });
  const year = date.getFullYear() === now.getFullYear() ? {} : ({ year: "numeric" } as const);
  return date.toLocaleDateString(locale, { day: "numeric", month: "short", ...year });
}

/** A text with what was searched for in it, marked; in a short one it is not far to the first hit. */
function Marked({ text, query, short = false }: { text: string; query: string; short?: boolean }) {
  if (query === "") return <>{text}</>;
  const pieces = marked(text, query);
  return <>{(short ? cropped(pieces) : pieces).map(({ text: piece, hit }) => (hit ? <mark>{piece}</mark> : piece))}</>;
}

type RowProps = { readonly conversation: Conversation | Found; readonly query: string; readonly state: State; readonly actions: Actions };

function Row({ conversation, query, state, actions }: RowProps) {
  const { title, last_message: last, updated_at, unread } = conversation;
  const match = "match" in conversation ? conversation.match : null;
  const name = title ?? last?.text ?? words.untitled;
  const said = last && (last.by === "visitor" ? `${words.from.visitor}: ${last.text}` : plain(last.text));
  return (
    <li>
      <button type="button" aria-current={conversation.id === state.conversation?.id} data-unread={unread || undefined} onClick={() => actions.show(conversation, match?.number)}>
        <b dir="auto"><Marked text={name} query={query} /></b>
        <time dateTime={updated_at}>{when(updated_at, state.locale)}</time>
        <span class={match ? "said match" : "said"} dir="auto">{match ? <Marked text={plain(match.text)} query={query} short /> : said}</span>
        {unread > 0 && <span class="count">{Math.min(unread, 99)}<span class="sr"> {words.unread(unread)}</span></span>}
      </button>
    </li>
  );
}

function Rows({ items, label, query = "", ...rest }: { items: readonly (Conversation | Found)[]; label?: string; query?: string; state: State; actions: Actions }) {
  if (items.length === 0) return null;
  return (
    <>
      {label && <h2>{label}</h2>}
      <ul aria-label={label ?? words.conversations}>{items.map((each) => <Row key={each.id} conversation={each} query={query} {...rest} />)}</ul>
    </>
  );
}

function Search({ query, actions }: { query: string; actions: Actions }) {
  const field = useRef<HTMLInputElement>(null);
  const clear = () => {
    actions.search("");
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || query === "") return;
    // What was searched for goes first, the list after it.
    event.stopPropagation();
    clear();
  };
  return (
    <div class="search" role="search">
      <Icon name="search" />
      <input ref={field} type="search" enterkeyhint="search" autocomplete="off" maxLength={200} value={query} aria-label={words.search} placeholder={words.search}
        onInput={(event) => actions.search(event.currentTarget.value)} onKeyDown={onKeyDown} />
      {query !== "" && <button type="button" class="tool" aria-label={words.clearSearch} onClick={clear}><Icon name="close" /></button>}
    </div>
  );
}

/** What a search has come to. What has changed since is shown as it is now. */
function Results({ state, actions }: { state: State; actions: Actions }) {
  const { query = "", found = null } = state.list ?? {};
  if (found === null) return <div class="gate" role="status"><span class="spinner large" /></div>;
  const items = found.map((each): Found => ({ ...each, ...state.records[each.id], match: each.match }));
  return (
    <>
      <p class="sr" role="status">{found.length > 0 && words.found(found.length)}</p>
      {found.length === 0 && <div class="nothing" role="status"><p dir="auto">{words.noMatches(query.trim())}</p><p>{words.noMatchesHint}</p></div>}
      <Rows items={items} query={query} state={state} actions={actions} />
    </>
  );
}

function Body({ state, actions }: { state: State; actions: Actions }) {
  const { list, records } = state;
  // What was known before is better than nothing, and the line above says why it may be old.
  if (list?.failed && (isSearch(list.query) || !state.listed)) {
    const again = () => (isSearch(list.query) ? actions.search(list.query) : actions.openList());
    return <div class="nothing" role="alert"><p>{words.notListed}</p><button type="button" class="button quiet" onClick={again}>{words.tryAgain}</button></div>;
  }
  if (list && isSearch(list.query)) return <Results state={state} actions={actions} />;
  if (!state.listed) return <div class="gate" role="status"><span class="spinner large" /></div>;
  const all = listed(records);
  if (all.length === 0) return <div class="nothing"><span class="lock"><Icon name="list" /></span><p>{words.noConversations}</p></div>;
  return (
    <>
      <Rows items={all.filter((each) => each.closed_at === null)} state={state} actions={actions} />
      <Rows items={all.filter((each) => each.closed_at !== null)} label={words.ended} state={state} actions={actions} />
    </>
  );
}

export function Conversations({ state, actions }: { state: State; actions: Actions }) {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    // The list closes first, the window after it.
    event.stopPropagation();
    actions.closeList();
  };
  const some = listed(state.records).length > 0 || state.list?.query !== "";
  return (
    <div class="list" onKeyDown={onKeyDown}>
      {some && <Search query={state.list?.query ?? ""} actions={actions} />}
      <div class="rows"><Body state={state} actions={actions} /></div>
      <button type="button" class="button" onClick={() => actions.show(null)}><Icon name="plus" />{words.newConversation}</button>
    </div>
  );
}
