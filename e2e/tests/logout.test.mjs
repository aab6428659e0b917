import assert from "node:assert/strict";
import { test } from "node:test";
import { BOUND, sessionState } from "../support/api.mjs";
import { newProfile } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { startDemo } from "../support/maitred.mjs";
import { SARAH, SECRETS_OF, TOM, logIn, logOut } from "../support/shop.mjs";
import { until } from "../support/until.mjs";

const HER_WORDS = "Tell me, where is my order?";

/** Sarah, in two tabs of one browser, with a conversation and a draft. */
async function sarahInTwoTabs(t, shop) {
  const profile = await newProfile(t);
  const here = await profile.open(shop);
  await logIn(here.page, SARAH);
  await here.chat.open();
  await here.chat.ask(HER_WORDS);
  const there = await profile.open(`${shop}/help/returns`);
  await there.chat.open();
  await there.chat.shows(HER_WORDS);
  await here.chat.composer.fill("A thought of hers");
  await there.chat.composer.fill("Another thought of hers");
  return { profile, here, there };
}

test("a logout in the shop leaves nothing of hers, in this tab and in another", async (t) => {
  const { maitred, shop } = await startDemo(t);
  const { profile, here, there } = await sarahInTwoTabs(t, shop);
  const hers = [...profile.sessions];
  assert.equal(hers.length, 2, "one session for each page load");
  for (const session of hers) assert.deepEqual(await sessionState(maitred.url, session), BOUND);

  await logOut(here.page);

  for (const { page, chat } of [here, there]) {
    await page.locator("#account [data-login]").waitFor();
    await chat.greets(GREETING);
    await chat.showsNothingOf([...SECRETS_OF.sarah, HER_WORDS, "thought of hers", ...hers]);
    assert.equal(await chat.shield.count(), 0);
    assert.equal(await chat.messages("visitor").count(), 0);
  }
  for (const session of hers) {
    const ended = await until("the session has ended", async () => {
      const state = await sessionState(maitred.url, session);
      return state.code !== BOUND.code && state;
    });
    assert.equal(ended.code, "session_revoked");
  }
  assert.equal(here.eventsNamed("logout").length, 1);
  assert.equal(there.eventsNamed("logout").length, 1);
  await here.shot("logged-out");
});

test("who logs in next on the same browser finds a chat of their own", async (t) => {
  const { shop } = await startDemo(t);
  const { here, there } = await sarahInTwoTabs(t, shop);
  await logOut(here.page);
  await here.chat.greets(GREETING);

  await logIn(here.page, TOM);

  for (const { chat } of [here, there]) {
    await chat.greets(greetingFor("Tom"));
    assert.deepEqual(await chat.transcript(), []);
    await chat.showsNothingOf([...SECRETS_OF.sarah, HER_WORDS, "thought of hers"]);
  }
  const answer = await here.chat.ask(HER_WORDS);
  assert.match(answer, /A-10003 is being packed/);
  await here.chat.showsNothingOf(SECRETS_OF.sarah);
});

test("her conversation is there again when she comes back", async (t) => {
  const { shop } = await startDemo(t);
  const { here } = await sarahInTwoTabs(t, shop);
  const before = await here.chat.transcript();
  await logOut(here.page);
  await here.chat.greets(GREETING);

  await logIn(here.page, SARAH);

  await here.chat.greets(greetingFor("Sarah"));
  await here.chat.shows(HER_WORDS);
  assert.deepEqual(await here.chat.transcript(), before);
});

test("nothing of a verified visitor is in the browser's storage, even while she is there", async (t) => {
  const { shop } = await startDemo(t);
  const { profile, here } = await sarahInTwoTabs(t, shop);

  const storage = JSON.stringify(await here.chat.storage());

  const found = [...SECRETS_OF.sarah, HER_WORDS, "thought of hers", "cus_7301", ...profile.sessions];
  assert.deepEqual(found.filter((secret) => storage.includes(secret)), []);
});
