import { useLayoutEffect, useRef } from "preact/hooks";
import type { State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";
import { Menu } from "./menu.tsx";

function Shield({ name }: { name: string | null }) {
  const label = name === null ? words.signedIn : words.signedInAs(name);
  return (
    <span class="shield" tabIndex={0} role="img" aria-label={label} data-verified>
      <Icon name="shield" />
      <span class="tip" aria-hidden="true" dir="auto">{label}</span>
    </span>
  );
}

function Back({ run }: { run: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => button.current?.focus(), []);
  return <button type="button" ref={button} class="tool" aria-label={words.back} onClick={run}><Icon name="back" class="mirror" /></button>;
}

export function Header({ state, actions }: { state: State; actions: Actions }) {
  const { agent, phase, list, conversation, loaded } = state;
  const contact = phase.name === "live" ? phase.contact : null;
  const name = agent?.name ?? "";
  const topic = !list && loaded ? conversation?.title : null;
  return (
    <header>
      {list ? <Back run={actions.closeList} /> : <span class="avatar" aria-hidden="true">{[...name][0] ?? ""}</span>}
      <div class="who">
        <h1 dir="auto">{list ? words.conversations : name}</h1>
        {topic && <p dir="auto" title={topic} data-topic>{topic}</p>}
      </div>
      {contact && !list && <Shield name={contact.name} />}
      <span class="gap" />
      {!list && <Menu state={state} actions={actions} />}
      <button type="button" class="tool" aria-label={words.close} onClick={actions.close}><Icon name="close" /></button>
    </header>
  );
}
