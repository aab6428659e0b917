import { useLayoutEffect, useRef } from "preact/hooks";
import { safeHref } from "../markdown.ts";
import type { Phase, State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";

/** What stands in place of the conversation while it is locked. */
export function Gate({ state, actions }: { state: State; actions: Actions }) {
  const text = sentences(state.phase);
  const isErased = state.phase.name === "erased";
  const wanted = isErased && state.open;
  const again = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    // Who has just asked for it goes on from here.
    if (wanted) again.current?.focus();
  }, [wanted]);
  if (!text) {
    return (
      <div class="gate" role="status"><span class="spinner large" /><p>{state.phase.name === "renewing" ? words.renewing : words.connecting}</p></div>
    );
  }
  const signIn = text.signIn ? safeHref(state.agent?.sign_in_url ?? "") : null;
  return (
    <div class="gate" role="alert">
      <span class="lock"><Icon name={isErased ? "done" : text.signIn ? "lock" : "cross"} /></span>
      <h2>{text.title}</h2>
      <p>{text.body}</p>
      {signIn && <a class="button" href={signIn} target="_top" rel="noopener">{words.signIn}</a>}
      {text.again && <button type="button" ref={again} class={signIn ? "button quiet" : "button"} onClick={actions.retryIdentity}>{isErased ? words.startOver : words.tryAgain}</button>}
    </div>
  );
}

type Sentences = { readonly title: string; readonly body: string; readonly signIn: boolean; readonly again: boolean };

function sentences(phase: Phase): Sentences | null {
  switch (phase.name) {
    case "expired":
      return { title: words.expiredTitle, body: words.expired, signIn: true, again: true };
    case "refused":
      // A token from before everything was ended: by an operator, or by the visitor on another device.
      if (phase.code === "token_revoked") return { title: words.signedOutTitle, body: words.signedOut, signIn: true, again: true };
      return { title: words.refusedTitle, body: words.refused, signIn: true, again: true };
    case "sign_in":
      return { title: words.signInTitle, body: words.signInNeeded, signIn: true, again: false };
    case "failed": {
      if (phase.code === "secure_context_needed") return { title: words.insecureTitle, body: words.insecure, signIn: false, again: false };
      const denied = phase.code === "origin_not_allowed" || phase.code === "not_found";
      return { title: words.failedTitle, body: denied ? words.denied : words.failed, signIn: false, again: !denied };
    }
    case "erased":
      return { title: words.erasedTitle, body: phase.named ? `${words.erased} ${words.erasedWait}` : words.erased, signIn: false, again: true };
    case "idle":
    case "connecting":
    case "live":
    case "renewing":
      return null;
    default:
      return phase satisfies never;
  }
}
