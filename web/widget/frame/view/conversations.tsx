import type { Conversation } from "../../../protocol/index.ts";
import { plain } from "../markdown.ts";
import type { State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";

function Row({ conversation, locale, current, show }: { conversation: Conversation; locale: string; current: boolean; show: () => void }) {
  const { title, last_message: last, updated_at } = conversation;
  const day = new Date(updated_at).toLocaleDateString(locale, { day: "numeric", month: "short" });
  return (
    <li>
      <button type="button" aria-current={current} onClick={show}>
        <b dir="auto">{title ?? last?.text ?? words.untitled}</b>
        <time dateTime={updated_at}>{day}</time>
        {last && <span dir="auto">{last.by === "visitor" ? `${words.from.visitor}: ${last.text}` : plain(last.text)}</span>}
      </button>
    </li>
  );
}

export function Conversations({ state, actions }: { state: State; actions: Actions }) {
  const items = state.list?.items ?? null;
  return (
    <div class="list">
      {items === null && <div class="gate" role="status"><span class="spinner large" /></div>}
      {items?.length === 0 && <p class="nothing">{words.noConversations}</p>}
      {items && items.length > 0 && (
        <ul>
          {items.map((conversation) => (
            <Row key={conversation.id} conversation={conversation} locale={state.locale} current={conversation.id === state.conversation?.id}
              show={() => actions.show(conversation)} />
          ))}
        </ul>
      )}
      <button type="button" class="button" onClick={() => actions.show(null)}><Icon name="plus" />{words.newConversation}</button>
    </div>
  );
}
