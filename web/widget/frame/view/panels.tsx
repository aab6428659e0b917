import { useLayoutEffect, useRef } from "preact/hooks";
import { listed } from "../records.ts";
import type { Panel, State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";

/** The server's limit; it counts again. */
const MAX_TITLE = 120;

type Props = { readonly panel: Panel; readonly state: State; readonly actions: Actions };

/** The panel closes first, the window after it. */
const closesWithEscape = (actions: Actions) => (event: KeyboardEvent) => {
  if (event.key !== "Escape") return;
  event.stopPropagation();
  actions.leavePanel();
};

export function Rename({ panel: { busy, problem }, state, actions }: Props) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const onSubmit = (event: Event) => {
    event.preventDefault();
    actions.rename(input.current?.value ?? "");
  };
  return (
    <form class="card" noValidate aria-label={words.renameTitle} aria-busy={busy} data-panel="rename" onSubmit={onSubmit} onKeyDown={closesWithEscape(actions)}>
      <div class="card-head">
        <h2>{words.renameTitle}</h2>
        <button type="button" class="tool" aria-label={words.cancel} onClick={actions.leavePanel}><Icon name="close" /></button>
      </div>
      <label for="title">{words.name}</label>
      <div class="field">
        <input ref={input} id="title" dir="auto" maxLength={MAX_TITLE} defaultValue={state.conversation?.title ?? ""} aria-describedby={problem ? "title-problem" : "title-hint"} />
        <button type="submit" class="button" disabled={busy}>{busy ? <span class="spinner" /> : null}{words.save}</button>
      </div>
      <p id="title-problem" class="wrong" role="alert">{problem}</p>
      <p id="title-hint">{words.nameHint}</p>
    </form>
  );
}

/** Asks before everything is erased, and names what goes. */
export function Forget({ panel: { busy, problem }, state, actions }: Props) {
  const cancel = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => cancel.current?.focus(), []);
  const count = state.listed ? listed(state.records).length : null;
  return (
    <div class="gate" role="alertdialog" aria-labelledby="forget" aria-describedby="forget-what" aria-busy={busy} data-panel="forget" onKeyDown={closesWithEscape(actions)}>
      <span class="lock bad"><Icon name="bin" /></span>
      <h2 id="forget">{words.forgetTitle}</h2>
      <p id="forget-what">{words.forgetWhat(count)}{state.phase.name === "live" && state.phase.contact && ` ${words.forgetNot}`}</p>
      <p class="wrong" role="alert">{problem}</p>
      <button type="button" class="button destroys" disabled={busy} onClick={actions.forget}>{busy ? <><span class="spinner" />{words.erasing}</> : words.forgetDo(count)}</button>
      <button type="button" ref={cancel} class="button quiet" disabled={busy} onClick={actions.leavePanel}>{words.cancel}</button>
    </div>
  );
}
