import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Conversation } from "../../../protocol/index.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";

const SCORES = [1, 2, 3, 4, 5] as const;
/** The server's limit; it counts again. */
const MAX_COMMENT = 2000;

function Comment({ conversation, score, actions }: { conversation: Conversation; score: number; actions: Actions }) {
  const told = conversation.rating?.comment ?? null;
  const [writes, setWrites] = useState(told === null);
  const field = useRef<HTMLTextAreaElement>(null);
  if (!writes && told !== null) {
    return (
      <div class="told">
        <q dir="auto">{told}</q>
        <button type="button" class="link" onClick={() => setWrites(true)}>{words.changeComment}</button>
      </div>
    );
  }
  const onSubmit = (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim() ?? "";
    if (text === "" && told === null) return;
    actions.rate(score, text || null);
    setWrites(text === "");
  };
  return (
    <form onSubmit={onSubmit} data-comment>
      <label for="comment">{words.comment}</label>
      <textarea ref={field} id="comment" rows={3} dir="auto" maxLength={MAX_COMMENT} defaultValue={told ?? ""} />
      <button type="submit" class="button quiet">{words.sendComment}</button>
    </form>
  );
}

function Stars({ conversation, actions }: { conversation: Conversation; actions: Actions }) {
  const [skipped, setSkipped] = useState(false);
  const score = conversation.rating?.score ?? null;
  if (skipped && score === null) return null;
  return (
    <div class="rating" data-rating={score ?? "none"}>
      <div class="ask">
        <h2 id="rate"><span role="status">{score === null ? words.rate : words.thanks}</span></h2>
        {score === null && <button type="button" class="link" onClick={() => setSkipped(true)}>{words.skip}</button>}
      </div>
      <div class="stars" role="group" aria-labelledby="rate">
        {SCORES.map((each) => (
          <button type="button" key={each} aria-label={words.score(each)} aria-pressed={each === score} class={score !== null && each <= score ? "tool lit" : "tool"}
            onClick={() => actions.rate(each, conversation.rating?.comment ?? null)}><Icon name="star" /></button>
        ))}
      </div>
      {score !== null && <Comment conversation={conversation} score={score} actions={actions} />}
    </div>
  );
}

/** What stands under a conversation that has ended. Writing opens it again. */
export function Ended({ conversation, actions }: { conversation: Conversation; actions: Actions }) {
  const section = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    // Who has just ended it is asked; who is writing, or was not here, is left where they are.
    if (document.activeElement?.closest("header")) section.current?.focus();
  }, []);
  return (
    <section class="ended" ref={section} tabIndex={-1} aria-label={words.hasEnded} data-ended>
      <Stars conversation={conversation} actions={actions} />
      <button type="button" class="button" onClick={() => actions.show(null)}>{words.startNew}</button>
    </section>
  );
}
