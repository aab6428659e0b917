import { useLayoutEffect, useRef } from "preact/hooks";
import type { CodeForm as Form, State } from "../state.ts";
import { words } from "../words.ts";
import type { Actions } from "./actions.ts";
import { Icon } from "./icons.tsx";

/** Whether an address may be proven now: the agent sends codes, and nobody vouches for the visitor, or for the address (T5). */
export const offersCode = ({ agent, phase, proven }: State): boolean =>
  agent?.codes === true && phase.name === "live" && proven === null && (phase.contact === null || phase.claimedEmail !== null);

/** The one address that a visitor can prove whom the site has named: another would change nothing. */
export const onlyEmail = ({ phase }: State): string | null => (phase.name === "live" ? phase.claimedEmail : null);

/** `s…@example.com`: enough to know one's own. */
export function masked(email: string): string {
  const at = email.lastIndexOf("@");
  return `${[...email][0] ?? ""}…${email.slice(at)}`;
}

/** The line that stays once an address is proven. */
export function Proven({ email }: { email: string }) {
  return (
    <p class="proven" role="status" data-proven><Icon name="done" />{words.confirmed} <bdi>{masked(email)}</bdi></p>
  );
}

const FIELDS = {
  address: { label: words.email, type: "email", inputMode: "email", autocomplete: "email", maxLength: 254, submit: words.sendCode },
  code: { label: words.code, type: "text", inputMode: "numeric", autocomplete: "one-time-code", maxLength: 11, submit: words.confirm },
} as const;

export function CodeForm({ form, only, actions }: { form: Form; only: string | null; actions: Actions }) {
  const { step, email, busy, waits, problem } = form;
  const { submit, label, ...field } = FIELDS[step];
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.focus(), [step]);
  useLayoutEffect(() => {
    // Who was told what is wrong wants to mend it.
    if (problem && !busy) input.current?.select();
  }, [problem, busy]);

  const onSubmit = (event: Event) => {
    event.preventDefault();
    const value = input.current?.value ?? "";
    if (busy) return;
    if (step === "code") actions.verifyCode(value);
    else if (!waits) actions.sendCode(value);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    // The form closes first, the window after it.
    event.stopPropagation();
    actions.closeCode();
  };
  return (
    <form class="card" noValidate aria-label={words.confirmEmail} aria-busy={busy} data-code={step} onSubmit={onSubmit} onKeyDown={onKeyDown}>
      <div class="card-head">
        <h2>{words.confirmEmail}</h2>
        <button type="button" class="tool" aria-label={words.cancel} onClick={actions.closeCode}><Icon name="close" /></button>
      </div>
      <p id="code-why" role="status">{step === "address" ? words.codeWhy : <>{words.codeSent} <bdi>{email}</bdi>. {words.codeLife}</>}</p>
      <label for="code-field">{label}</label>
      <div class="field">
        <input key={step} ref={input} id="code-field" defaultValue={step === "address" ? email : ""} class={step} {...field} readOnly={step === "address" && only !== null} spellcheck={false} dir="ltr" aria-describedby={problem ? "code-problem" : "code-why"} aria-invalid={problem !== null} />
        <p id="code-problem" class="wrong" role="alert">{problem}</p>
        <button type="submit" class="button" disabled={busy || (step === "address" && waits)}>{busy ? <span class="spinner" /> : null}{submit}</button>
      </div>
      {step === "code" && (
        <div class="card-more">
          <button type="button" disabled={busy || waits} onClick={() => actions.sendCode(email)}>{words.sendAgain}</button>
          {only === null && <button type="button" disabled={busy} onClick={actions.mendAddress}>{words.otherAddress}</button>}
        </div>
      )}
    </form>
  );
}
