import type { Answer, Detail, EventName, Reason } from "../channel.ts";
import { pause } from "./api.ts";

/** The host page, as the chat sees it. */
export type Page = {
  readonly ask: (reason: Reason) => Promise<Answer>;
  readonly emit: (name: EventName, detail?: Detail) => void;
};

/** A page that could not say who is there when a token runs out is asked once more after this long. */
const SECOND_ASKING = 5000;

/** Asks the page who is logged in; `signal` ends the waiting of somebody who has gone. */
export async function asked(page: Page, reason: Reason, signal: AbortSignal | undefined): Promise<Answer> {
  const answer = await page.ask(reason);
  // A hiccup is no reason to lock the chat: there is time left.
  if (reason !== "renew" || answer.kind !== "unavailable" || !signal) return answer;
  await pause(SECOND_ASKING, signal);
  return page.ask(reason);
}
