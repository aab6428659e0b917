import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionState } from "../support/api.mjs";
import { newProfile } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { Site, startFor } from "../support/site.mjs";
import { SARAH } from "../support/shop.mjs";
import { now, tokenFor } from "../support/tokens.mjs";
import { until } from "../support/until.mjs";

const SAYS_HELLO = [{ when: "hello", deltas: [{ text: "Hello to you." }] }];

/** Sarah's session is over; from then on the page answers as `next` says. */
async function sarahsSessionIsOver(t, next) {
  const site = await Site.start(t);
  const { maitred } = await startFor(t, site, SAYS_HELLO, { MAITRED__SESSIONS__GRACE: "0" });
  const profile = await newProfile(t);
  site.chatToken = () => tokenFor(site.key, SARAH, { exp: now() + 5 });
  const tab = await profile.open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  await tab.chat.ask("hello from Sarah");
  // The chat asks as soon as its session has ended, so the page must know before.
  site.chatToken = () => next(site);
  const [session] = profile.sessions;
  await until("the session is over", async () => (await sessionState(maitred.url, session)).code === "session_expired");
  return { site, tab, profile };
}

test("a session that ended is renewed by asking the page, and the message goes through once", async (t) => {
  const { site, tab } = await sarahsSessionIsOver(t, ({ key }) => tokenFor(key, SARAH));

  await tab.chat.say("hello again");

  await tab.chat.answer(2);
  assert.deepEqual(await tab.chat.transcript(), [
    "visitor: hello from Sarah",
    "agent: Hello to you.",
    "visitor: hello again",
    "agent: Hello to you.",
  ]);
  assert.deepEqual(site.reasons, ["start", "unauthorized"]);
  assert.deepEqual(tab.eventsNamed("session_expired"), []);
});

test("a session that ended goes on anonymously when the page says that nobody is logged in", async (t) => {
  const { site, tab, profile } = await sarahsSessionIsOver(t, () => null);

  await tab.chat.greets(GREETING);

  assert.deepEqual(await tab.chat.transcript(), []);
  await tab.chat.showsNothingOf(["Sarah", "Miller", "hello", ...profile.sessions.slice(0, 1)]);
  assert.deepEqual(site.reasons, ["start", "unauthorized"]);
  await until("the page knows an anonymous visitor", async () => (await tab.maitred("state")).assurance === "anonymous");
});

test("a session that ended locks the history when the page cannot say who is there", async (t) => {
  const { site, tab, profile } = await sarahsSessionIsOver(t, () => 500);

  await tab.chat.gate.getByText("Your session has ended").waitFor();

  assert.equal(await tab.chat.composer.count(), 0);
  await tab.chat.showsNothingOf(["Sarah", "Miller", "hello"]);
  assert.equal((await tab.event("identify_failed")).code, "token_unavailable");
  const opened = profile.answers.filter(({ request }) => request === "POST /v1/sessions");
  assert.equal(opened.length, 1, "nothing anonymous came after it");
  assert.deepEqual(await tab.event("session_expired"), { code: "session_expired" });
  await tab.shot("expired");

  site.chatToken = () => tokenFor(site.key, SARAH);
  await tab.chat.gate.getByRole("button", { name: "Try again" }).click();
  await tab.chat.greets(greetingFor("Sarah"));
  await tab.chat.shows("hello from Sarah");
});
