import { useLayoutEffect, useRef } from "preact/hooks";
import type { State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";

/** The server's limit; it counts again. */
const MAX = 8000;

export function Composer({ state, actions }: { state: State; actions: Actions }) {
  const { draft, online, open, list } = state;
  const wanted = open && !list && !state.code;
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 140)}px`;
  }, [draft]);
  useLayoutEffect(() => {
    if (wanted) field.current?.focus();
  }, [wanted]);

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
  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea ref={field} rows={1} dir="auto" maxLength={MAX} value={draft} aria-label={words.compose} placeholder={words.composing}
        enterkeyhint="send" onInput={(event) => actions.compose(event.currentTarget.value)} onKeyDown={onKeyDown} />
      <button type="submit" class="send" aria-label={words.send} disabled={!ready}><Icon name="send" /></button>
    </form>
  );
}
