// First of the suite by its name: it takes three minutes of real time, beside which the others run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { greetingFor } from "../support/chat.mjs";
import { SARAH } from "../support/shop.mjs";
import { Site, startFor } from "../support/site.mjs";
import { now, tokenFor } from "../support/tokens.mjs";
import { until } from "../support/until.mjs";

const MINUTE = 60_000;

/** Everything that the visitor was shown but the words of the conversation, from now on. */
async function watched(tab) {
  const frame = tab.page.frames().find((each) => each.url().includes("/frame/"));
  await frame.evaluate(() => {
    const chat = document.querySelector(".chat");
    const seen = (window["seen"] = new Set());
    const look = () => {
      seen.add(`${chat.dataset.phase} ${chat.dataset.link} ${document.querySelector(".gate, .notice, .failed")?.className ?? ""}`.trim());
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
  });
  return () => frame.evaluate(() => [...window["seen"]]);
}

test("S2: a conversation of three minutes with tokens of 70 s, and the visitor notices nothing", async (t) => {
  const site = await Site.start(t);
  site.chatToken = () => tokenFor(site.key, SARAH, { exp: now() + 70 });
  // Without the grace a token that is not renewed in time ends the session.
  await startFor(t, site, [{ when: "hello", deltas: [{ text: "Hello to you." }] }], { MAITRED__SESSIONS__GRACE: "0" });
  const profile = await newProfile(t);
  const tab = await profile.open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  await tab.chat.ask("hello, for the first time");
  const seen = await watched(tab);
  const [first] = profile.sessions;
  const end = performance.now() + 3 * MINUTE;

  for (let number = 2; performance.now() < end; number++) {
    await tab.chat.ask(`hello, number ${number}`);
    const next = Math.min(performance.now() + 15_000, end);
    await until("the next message is due", () => performance.now() >= next);
  }

  assert.deepEqual(await seen(), ["live live"]);
  assert.deepEqual(profile.sessions, [first], "one session all the time");
  assert.deepEqual(site.reasons, ["start", "renew", "renew", "renew"]);
  const renewals = profile.answers.filter(({ request }) => request === "POST /v1/session/identity");
  assert.deepEqual(renewals.map(({ status }) => status), [200, 200, 200]);
  assert.equal(profile.answers.filter(({ request }) => request === "GET /v1/events").length, 1, "one stream all the time");
  assert.deepEqual(profile.answers.filter(({ status }) => status >= 400), []);
  assert.deepEqual([tab.eventsNamed("session_expired"), tab.eventsNamed("identify_failed"), tab.complaints, tab.errors], [[], [], [], []]);
  const transcript = await tab.chat.transcript();
  assert.ok(transcript.length >= 22, "eleven questions, each with its answer");
  assert.equal(new Set(transcript.filter((line) => line.startsWith("visitor"))).size * 2, transcript.length);
});
