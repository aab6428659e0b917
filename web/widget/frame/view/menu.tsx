import { useEffect, useRef, useState } from "preact/hooks";
import type { State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { offersCode } from "./code.tsx";
import { Icon, type IconName } from "./icons.tsx";

/** Unread messages of all conversations but the one on screen. */
export const unreadBeside = ({ unread, conversation }: State): number => unread - (conversation?.unread ?? 0);

/** Only the visitor themselves may have everything erased: nobody in their place. */
const mayForget = ({ phase }: State): boolean => phase.name === "live" && phase.actor === null && !phase.test;

type Page = "main" | "download";

export function Menu({ state, actions }: { state: State; actions: Actions }) {
  const [page, setPage] = useState<Page | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const isOpen = page !== null;
  useEffect(() => {
    if (page !== null) box.current?.querySelector<HTMLButtonElement>(".sheet button:not([disabled])")?.focus();
  }, [page]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const away = (event: Event) => {
      if (!(event.target instanceof Node && box.current?.contains(event.target))) setPage(null);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [isOpen]);

  const leave = () => {
    setPage(null);
    box.current?.querySelector("button")?.focus();
  };
  const act = (run: () => void) => () => {
    // Whatever comes next takes the focus from there, or leaves it.
    leave();
    run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!isOpen) return;
    if (event.key === "Escape") {
      // The menu closes first, the window after it.
      event.stopPropagation();
      leave();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const items = [...(box.current?.querySelectorAll<HTMLButtonElement>(".sheet button:not([disabled])") ?? [])];
    const at = items.findIndex((item) => item === document.activeElement);
    items.at((at + step) % items.length)?.focus();
  };
  const item = (icon: IconName, label: string, run: () => void, disabled = false) => (
    <button type="button" disabled={disabled} onClick={act(run)}><Icon name={icon} />{label}</button>
  );

  const { conversation, entries, phase, outbox } = state;
  // What is on its way goes to the conversation it was written in.
  const busy = phase.name !== "live" || outbox.some((o) => o.state === "sending");
  const beside = unreadBeside(state);
  return (
    <div class="menu" ref={box} onKeyDown={onKeyDown}>
      <button type="button" class="tool" aria-label={words.menu} aria-expanded={isOpen} onClick={() => setPage(isOpen ? null : "main")}>
        <Icon name="menu" />
        {beside > 0 && <span class="dot"><span class="sr">, {words.unread(beside)}</span></span>}
      </button>
      {page === "download" && (
        <div class="sheet" role="group" aria-label={words.download}>
          <button type="button" onClick={() => setPage("main")}><Icon name="back" class="mirror" />{words.download}</button>
          <hr />
          {item("file", words.asText, () => actions.download("text"))}
          {item("file", words.asJson, () => actions.download("json"))}
        </div>
      )}
      {page === "main" && (
        <div class="sheet">
          <button type="button" disabled={busy} onClick={act(actions.openList)}>
            <Icon name="list" />{words.conversations}
            {beside > 0 && <span class="count">{beside}<span class="sr"> {words.unread(beside)}</span></span>}
          </button>
          {item("plus", words.newConversation, () => actions.show(null), busy)}
          {conversation && entries.length > 0 && (
            <>
              <hr />
              {item("pencil", words.rename, actions.askTitle)}
              <button type="button" onClick={() => setPage("download")}><Icon name="save" />{words.download}<Icon name="next" class="mirror end" /></button>
              {conversation.closed_at === null ? item("done", words.end, actions.end) : item("back", words.reopen, actions.reopen)}
            </>
          )}
          <hr />
          {offersCode(state) && item("mail", words.confirmEmail, actions.openCode)}
          {mayForget(state) && item("bin", words.forget, actions.askForget)}
          {item("close", words.close, actions.close)}
        </div>
      )}
    </div>
  );
}
