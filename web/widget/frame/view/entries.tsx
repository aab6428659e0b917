import type { CallEntry, Conversation, Entry, MessageEntry } from "../../../protocol/index.ts";
import { closed } from "../markdown.ts";
import type { Reply } from "../live.ts";
import type { Outgoing } from "../state.ts";
import { words } from "../words.ts";
import { Icon } from "./icons.tsx";
import { Cite, Markdown } from "./markdown.tsx";

/** One call is one line, where it began: its later entry takes the place of the earlier one. */
export function folded(entries: readonly Entry[]): Entry[] {
  const lines: Entry[] = [];
  const calls = new Map<string, number>();
  for (const entry of entries) {
    const at = entry.kind === "call" ? calls.get(entry.call) : undefined;
    const begun = at === undefined ? undefined : lines[at];
    if (entry.kind !== "call" || at === undefined || begun?.kind !== "call") {
      if (entry.kind === "call") calls.set(entry.call, lines.length);
      lines.push(entry);
    } else {
      // What was asked is said once, by whichever entry has it.
      const details = [...(begun.details ?? []), ...(entry.details ?? [])];
      lines[at] = { ...entry, details };
    }
  }
  return lines;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function Time({ at, locale }: { at: string; locale: string }) {
  let clock = clocks.get(locale);
  if (!clock) {
    clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
    clocks.set(locale, clock);
  }
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return null;
  return <time dateTime={at}>{clock.format(date)}</time>;
}

export function Message({ entry, locale, sought = false }: { entry: MessageEntry; locale: string; sought?: boolean }) {
  const { by, text, citations = [] } = entry;
  return (
    <div class={sought ? `message ${by} sought` : `message ${by}`} data-entry="message" data-by={by} data-number={entry.number}>
      <span class="sr">{words.from[by]}: </span>
      <div class="bubble" dir="auto">{by === "visitor" ? text : <Markdown text={text} citations={citations} />}</div>
      {citations.length > 0 && (
        <div class="sources">{citations.map((citation) => <Cite key={citation.number} citation={citation} named />)}</div>
      )}
      <Time at={entry.at} locale={locale} />
    </div>
  );
}

/** The agent's words while they come. Screen readers get the whole message when it is there. */
export function Streaming({ reply }: { reply: Reply }) {
  return (
    <div class="message agent streaming" aria-hidden="true" data-streaming>
      <div class="bubble" dir="auto"><Markdown text={closed(reply.text)} /></div>
    </div>
  );
}

export function Typing() {
  return (
    <div class="message agent typing" data-typing>
      <span class="sr">{words.typing}</span>
      <div class="bubble" aria-hidden="true"><i /><i /><i /></div>
    </div>
  );
}

export function Pending({ outgoing, retry }: { outgoing: Outgoing; retry: (id: string) => void }) {
  const failed = outgoing.state === "failed";
  return (
    <div class={`message visitor pending ${outgoing.state}`} data-outgoing={outgoing.state}>
      <div class="bubble" dir="auto">{outgoing.text}</div>
      {failed ? (
        <div class="problem" role="alert">
          <span>{outgoing.problem}</span>
          <button type="button" onClick={() => retry(outgoing.id)}>{words.tryAgain}</button>
        </div>
      ) : (
        <span class="hint">{words.sending}</span>
      )}
    </div>
  );
}

export function CallLine({ entry }: { entry: CallEntry }) {
  const { phase, outcome, label, details = [] } = entry;
  const bad = phase === "finished" && outcome !== undefined && outcome !== "succeeded";
  const line = (
    <>
      {phase === "started" ? <span class="spinner" /> : <Icon name={bad ? "cross" : "done"} />}
      <span dir="auto">{label}</span>
    </>
  );
  const problem = bad ? words.outcome[outcome] : null;
  const common = { "data-entry": "call", "data-phase": phase, "data-outcome": outcome };
  if (details.length === 0 && problem === null) return <div class="call" {...common}>{line}</div>;
  return (
    <details class={bad ? "call bad" : "call"} {...common}>
      <summary>{line}<Icon name="down" class="turn" /></summary>
      {problem && <p>{problem}</p>}
      <dl>
        {details.map(([name, value]) => (
          <div>
            <dt dir="auto">{name}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

type LineProps = { readonly entry: Entry; readonly conversation: Conversation | null; readonly locale: string; readonly sought: boolean; readonly notMine: () => void };

export function Line({ entry, conversation, locale, sought, notMine }: LineProps) {
  switch (entry.kind) {
    case "message":
      return <Message entry={entry} locale={locale} sought={sought} />;
    case "call":
      return <CallLine entry={entry} />;
    case "status": {
      if (entry.text === "") return null;
      const splittable = entry.status === "continued_from_before_sign_in" && conversation?.from_before_sign_in === true;
      return (
        <div class="status" data-entry="status" data-status={entry.status}>
          <span dir="auto">{entry.text}</span>
          {splittable && <button type="button" onClick={notMine}>{words.notMine}</button>}
        </div>
      );
    }
    default:
      // A kind of a newer server.
      return null;
  }
}
