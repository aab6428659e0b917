import { useLayoutEffect, useRef } from "preact/hooks";
import { isAnswering } from "../live.ts";
import { liveOn, type State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";

/** The server's limit; it counts again. */
const MAX = 8000;

export function Composer({ state, actions }: { state: State; actions: Actions }) {
  const { draft, online, open, list, code, panel, conversation } = state;
  const wanted = open && !list && !code && !panel;
  const field = useRef<HTMLTextAreaElement>(null);
  const form = useRef<HTMLFormElement>(null);
  const answering = isAnswering(liveOn(state));
  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 140)}px`;
  }, [draft]);
  useLayoutEffect(() => {
    if (wanted) field.current?.focus();
  }, [wanted]);
  useLayoutEffect(() => {
    // Who has stopped the answer, or waited for it on the button, goes on writing.
    if (!answering && form.current?.contains(document.activeElement)) field.current?.focus();
  }, [answering]);

  const ready = online && draft.trim() !== "";
  const send = () => {
    if (ready) actions.send(draft);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter also ends a word that is being composed (Japanese, Chinese, …).
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  const hint = conversation && conversation.closed_at !== null ? words.composingAgain : words.composing;
  return (
    <form class="composer" ref={form} onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea ref={field} rows={1} dir="auto" maxLength={MAX} value={draft} aria-label={words.compose} placeholder={hint}
        enterkeyhint="send" onInput={(event) => actions.compose(event.currentTarget.value)} onKeyDown={onKeyDown} />
      {answering && ready && <button type="button" class="send quiet" aria-label={words.stop} onClick={actions.stop} data-stop><Icon name="stop" /></button>}
      {answering && !ready
        ? <button type="button" key="do" class="send" aria-label={words.stop} disabled={!online} onClick={actions.stop} data-stop><Icon name="stop" /></button>
        : <button type="submit" key="do" class="send" aria-label={words.send} disabled={!ready}><Icon name="send" /></button>}
    </form>
  );
}
