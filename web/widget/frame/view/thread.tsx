import { useLayoutEffect, useRef } from "preact/hooks";
import { safeHref } from "../markdown.ts";
import { liveOn, type State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { offersCode } from "./code.tsx";
import { Confirming } from "./markdown.tsx";
import { folded, Line, Pending, Streaming, Typing } from "./entries.tsx";

/** How near the end counts as reading along, in pixels. */
const NEAR = 80;

export function ThreadView({ state, actions }: { state: State; actions: Actions }) {
  const { entries, outbox, greeting, conversation, agent, phase, locale, code, sought, loaded } = state;
  const { reply, typing } = liveOn(state);
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const mine = outbox.length;

  useLayoutEffect(() => {
    const element = box.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  }, [entries, reply, typing, code, state.panel, conversation, state.open]);
  useLayoutEffect(() => {
    // Who writes wants to see what they wrote.
    const element = box.current;
    if (element && mine > 0) element.scrollTop = element.scrollHeight;
  }, [mine]);

  useLayoutEffect(() => {
    // Who came by a search wants to see what was found.
    const found = sought === null || !loaded ? null : box.current?.querySelector(`[data-number="${sought}"]`);
    if (!found) return;
    follows.current = false;
    found.scrollIntoView({ block: "center" });
  }, [sought, loaded, conversation?.id]);

  const onScroll = () => {
    const element = box.current;
    if (element) follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
  };

  const blank = entries.length === 0 && mine === 0;
  const anonymous = phase.name !== "live" || phase.contact === null;
  const signIn = anonymous ? safeHref(agent?.sign_in_url ?? "") : null;
  const streaming = reply !== null && !reply.broken && reply.text !== "";
  return (
    <Confirming.Provider value={offersCode(state) && !code ? actions.openCode : null}>
      <div class="thread" ref={box} onScroll={onScroll} role="log" aria-live="polite" aria-label={words.messages} tabIndex={0}
        aria-busy={conversation !== null && !loaded}>
        {greeting !== "" && (
          <div class="message agent greeting" data-greeting>
            <div class="bubble" dir="auto">{greeting}</div>
          </div>
        )}
        {folded(entries).map((entry) => (
          <Line key={entry.kind === "call" ? entry.call : entry.id} entry={entry} conversation={conversation} locale={locale} sought={entry.number === sought} notMine={actions.notMine} />
        ))}
        {streaming && <Streaming reply={reply} />}
        {!streaming && (typing || reply !== null) && <Typing />}
        {outbox.map((outgoing) => <Pending key={outgoing.id} outgoing={outgoing} retry={actions.retryMessage} />)}
        {blank && greeting !== "" && !code && (
          <div class="starters">
            {agent?.suggestions.map((text) => <button type="button" key={text} dir="auto" onClick={() => actions.send(text)}>{text}</button>)}
            {signIn && <a href={signIn} target="_top" rel="noopener">{words.signInForHelp}</a>}
          </div>
        )}
      </div>
    </Confirming.Provider>
  );
}
