import { useEffect, useRef, useState } from "preact/hooks";
import type { State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { offersCode } from "./code.tsx";
import { Icon } from "./icons.tsx";

function Shield({ name }: { name: string | null }) {
  const label = name === null ? words.signedIn : words.signedInAs(name);
  return (
    <span class="shield" tabIndex={0} role="img" aria-label={label} data-verified>
      <Icon name="shield" />
      <span class="tip" aria-hidden="true" dir="auto">{label}</span>
    </span>
  );
}

function Menu({ state, actions }: { state: State; actions: Actions }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    box.current?.querySelector<HTMLButtonElement>(".sheet button")?.focus();
    const away = (event: Event) => {
      if (!(event.target instanceof Node && box.current?.contains(event.target))) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);

  const act = (run: () => void) => () => {
    setOpen(false);
    run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    // The menu closes first, the window after it.
    event.stopPropagation();
    setOpen(false);
    box.current?.querySelector("button")?.focus();
  };
  // What is on its way goes to the conversation it was written in.
  const busy = state.phase.name !== "live" || state.outbox.some((o) => o.state === "sending");
  return (
    <div class="menu" ref={box} onKeyDown={onKeyDown}>
      <button type="button" class="tool" aria-label={words.menu} aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="menu" />
      </button>
      {open && (
        <div class="sheet">
          <button type="button" disabled={busy} onClick={act(actions.openList)}><Icon name="list" />{words.conversations}</button>
          <button type="button" disabled={busy} onClick={act(() => actions.show(null))}><Icon name="plus" />{words.newConversation}</button>
          {offersCode(state) && <button type="button" onClick={act(actions.openCode)}><Icon name="mail" />{words.confirmEmail}</button>}
          <button type="button" onClick={act(actions.close)}><Icon name="close" />{words.close}</button>
        </div>
      )}
    </div>
  );
}

export function Header({ state, actions }: { state: State; actions: Actions }) {
  const { agent, phase, list } = state;
  const contact = phase.name === "live" ? phase.contact : null;
  const name = agent?.name ?? "";
  return (
    <header>
      {list ? (
        <button type="button" class="tool" aria-label={words.back} onClick={actions.closeList}><Icon name="back" class="mirror" /></button>
      ) : (
        <span class="avatar" aria-hidden="true">{[...name][0] ?? ""}</span>
      )}
      <h1 dir="auto">{list ? words.conversations : name}</h1>
      {contact && !list && <Shield name={contact.name} />}
      <span class="gap" />
      {!list && <Menu state={state} actions={actions} />}
      <button type="button" class="tool" aria-label={words.close} onClick={actions.close}><Icon name="close" /></button>
    </header>
  );
}
