import { useEffect, useState } from "preact/hooks";
import { liveOn, type State } from "./state.ts";
import type { Store } from "./store.ts";
import { words } from "./words.ts";
import type { Actions } from "./view/actions.ts";
import { CodeForm, onlyEmail, Proven } from "./view/code.tsx";
import { Composer } from "./view/composer.tsx";
import { Conversations } from "./view/conversations.tsx";
import { Ended } from "./view/ended.tsx";
import { Gate } from "./view/gate.tsx";
import { Header } from "./view/header.tsx";
import { Icon } from "./view/icons.tsx";
import { Forget, Rename } from "./view/panels.tsx";
import { ThreadView } from "./view/thread.tsx";

/** A sentence about the connection, if it needs one. */
function notice(state: State): string | null {
  if (!state.online) return words.offline;
  if (state.phase.name === "live" && state.link === "lost") return words.reconnecting;
  return null;
}

function Body({ state, actions }: { state: State; actions: Actions }) {
  const { phase, greeting, list, panel, conversation } = state;
  if (panel?.name === "forget") return <Forget panel={panel} state={state} actions={actions} />;
  if (list) return <Conversations state={state} actions={actions} />;
  // A visitor who may be anonymous sees the greeting at once; one who was named sees nothing until that is settled.
  const settled = phase.name === "live" || phase.name === "idle" || (phase.name === "connecting" && !phase.named);
  if (settled && (phase.name === "live" || greeting !== "")) {
    return (
      <>
        <ThreadView state={state} actions={actions} />
        {state.code && <CodeForm form={state.code} only={onlyEmail(state)} actions={actions} />}
        {panel && <Rename panel={panel} state={state} actions={actions} />}
        {!panel && conversation && conversation.closed_at !== null && <Ended key={conversation.id} conversation={conversation} actions={actions} />}
        {liveOn(state).elsewhere && <p class="elsewhere" data-elsewhere>{words.elsewhere}</p>}
        {state.proven !== null && <Proven email={state.proven} />}
        <Composer state={state} actions={actions} />
      </>
    );
  }
  return <Gate state={state} actions={actions} />;
}

/** The chat, as a function of the state. */
export function App({ store, actions }: { store: Store; actions: Actions }) {
  const [state, setState] = useState(store.state);
  useEffect(() => {
    setState(store.state);
    return store.subscribe((next) => setState(next));
  }, [store]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") actions.close();
  };
  const sentence = notice(state);
  return (
    <div class="chat" data-phase={state.phase.name} data-link={state.link} onKeyDown={onKeyDown}>
      <Header state={state} actions={actions} />
      {state.phase.name === "live" && state.phase.actor !== null && (
        <p class="actor" role="note" dir="auto" data-actor><Icon name="person" /><span>{words.actsAs(state.phase.actor, state.phase.contact?.name ?? null)}</span></p>
      )}
      {state.phase.name === "live" && state.phase.test && (
        <p class="actor" role="note" data-test><Icon name="person" /><span>{words.isTest}</span></p>
      )}
      {sentence && <p class="notice" role="status">{sentence}</p>}
      {state.trouble !== null && <p class="notice" role="alert" data-trouble>{state.trouble}</p>}
      <main><Body state={state} actions={actions} /></main>
    </div>
  );
}
