import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionState } from "../support/api.mjs";
import { newProfile, withoutBroadcasts } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { runForJson } from "../support/maitred.mjs";
import { SARAH, TOM } from "../support/shop.mjs";
import { Barrier, Site, startFor } from "../support/site.mjs";
import { tokenFor } from "../support/tokens.mjs";
import { until } from "../support/until.mjs";

const SAYS_HELLO = [{ when: "hello", deltas: [{ text: "Hello to you." }] }];
const HERS = ["Sarah", "Miller", "hello from her", "A thought of hers"];

/** Sarah in two tabs; the other one has her words and a draft. */
async function sarahInTwoTabs(t, prepare = async (_profile) => {}) {
  const site = await Site.start(t);
  const { maitred, data } = await startFor(t, site, SAYS_HELLO);
  const profile = await newProfile(t);
  await prepare(profile);
  const here = await profile.open(site.origin);
  const there = await profile.open(site.origin);
  for (const { chat } of [here, there]) {
    await chat.open();
    await chat.greets(greetingFor("Sarah"));
  }
  await there.chat.ask("hello from her");
  await there.chat.composer.fill("A thought of hers");
  return { site, maitred, data, profile, here, there };
}

const isOver = async (maitred, session) =>
  until("the session has ended", async () => (await sessionState(maitred.url, session)).code === "session_revoked");

test("S3: an account switch in one tab takes the other along, and shows nothing of the first one", async (t) => {
  const { site, maitred, profile, here, there } = await sarahInTwoTabs(t);
  const hers = [...profile.sessions];
  site.chatToken = () => tokenFor(site.key, TOM);

  await here.page.reload();
  await here.chat.open();
  await here.chat.greets(greetingFor("Tom"));
  await there.chat.greets(greetingFor("Tom"));

  assert.deepEqual(await there.chat.transcript(), []);
  for (const { chat } of [here, there]) await chat.showsNothingOf([...HERS, ...hers]);
  assert.equal((await there.maitred("state")).contact.name, "Tom Okafor");
  await isOver(maitred, hers[1]);
  assert.deepEqual(site.reasons, ["start", "start", "start", "unauthorized"]);
  assert.equal(await there.chat.ask("hello from him"), "Hello to you.");
});

test("S3: until its page has answered, the other tab is locked", async (t) => {
  const { site, here, there } = await sarahInTwoTabs(t);
  const backend = new Barrier();
  site.chatToken = async (reason) => {
    if (reason === "unauthorized") await backend.pass();
    return tokenFor(site.key, TOM);
  };

  await here.page.reload();
  await here.chat.open();
  await here.chat.greets(greetingFor("Tom"));

  await there.chat.view.getByText("Signing you in again…").waitFor();
  await there.chat.showsNothingOf(HERS);
  await there.shot("switching");

  backend.open();
  await there.chat.greets(greetingFor("Tom"));
});

test("S3: a login without a reload switches the other tab, too", async (t) => {
  const { site, here, there } = await sarahInTwoTabs(t);
  site.chatToken = () => tokenFor(site.key, TOM);

  await here.maitred("identify", { token: tokenFor(site.key, TOM) });

  for (const { chat } of [here, there]) {
    await chat.greets(greetingFor("Tom"));
    await chat.showsNothingOf(HERS);
  }
});

test("S5: a logout in one tab empties the other, though its page did nothing", async (t) => {
  const { site, maitred, profile, here, there } = await sarahInTwoTabs(t);
  const hers = [...profile.sessions];
  site.chatToken = () => null;

  await here.maitred("logout");

  for (const { chat } of [here, there]) {
    await chat.greets(GREETING);
    await chat.showsNothingOf([...HERS, ...hers]);
    assert.equal(await chat.messages("visitor").count(), 0);
  }
  for (const session of hers) await isOver(maitred, session);
  assert.equal(there.eventsNamed("logout").length, 1);
});

test("S5: a logout reaches the other tab by its stream, where tabs cannot hear each other", async (t) => {
  const { site, maitred, profile, here, there } = await sarahInTwoTabs(t, (profile) => profile.context.addInitScript(withoutBroadcasts));
  const hers = [...profile.sessions];
  site.chatToken = () => null;

  await here.maitred("logout");

  await there.chat.greets(GREETING);
  await there.chat.showsNothingOf([...HERS, ...hers]);
  for (const session of hers) await isOver(maitred, session);
});

test("S5: the next visitor of a browser has another key and another anonymous secret", async (t) => {
  const site = await Site.start(t);
  site.chatToken = () => null;
  await startFor(t, site, SAYS_HELLO);
  const tab = await (await newProfile(t)).open(site.origin);
  await tab.chat.open();
  await tab.chat.ask("hello from a stranger");
  const before = { ...(await tab.chat.storage()).local, key: (await tab.chat.keptKeys())[0]?.x };

  await tab.maitred("logout");
  await tab.chat.greets(GREETING);
  await until("the next one is known", async () => (await tab.maitred("state")).assurance === "anonymous");
  const after = { ...(await tab.chat.storage()).local, key: (await tab.chat.keptKeys())[0]?.x };

  assert.deepEqual(Object.keys(after), Object.keys(before));
  for (const name of Object.keys(before)) assert.notEqual(after[name], before[name], name);
  assert.deepEqual(await tab.chat.transcript(), []);
});

test("S1: two agents on the pages of one site have a visitor, a key and a session each", async (t) => {
  const site = await Site.start(t);
  const { maitred, data } = await startFor(t, site, SAYS_HELLO);
  const { agent } = await runForJson(["agent", "create", "Second support", "--origin", site.origin, "--data", data]);
  const key = await runForJson(["key", "create", "--agent", agent, "--data", data]);
  site.chatToken = () => null;
  site.second = { agent, key, chatToken: () => null };
  const profile = await newProfile(t);
  const [one, two] = [await profile.open(site.origin), await profile.open(`${site.origin}/second`)];
  for (const [number, { chat }] of [one, two].entries()) {
    await chat.open();
    await chat.greets(GREETING);
    await chat.ask(`hello to number ${number + 1}`);
  }

  const { local } = await one.chat.storage();
  assert.deepEqual(Object.keys(local).sort(), [`maitred:${site.agent}:production:visitor`, `maitred:${agent}:production:visitor`].sort());
  assert.equal(new Set(Object.values(local)).size, 2);
  const keys = await one.chat.keptKeys();
  assert.deepEqual([keys.length, new Set(keys.map(({ x }) => x)).size], [2, 2]);

  site.second.chatToken = () => tokenFor(key, SARAH);
  await two.page.reload();
  await two.chat.open();
  await two.chat.greets(greetingFor("Sarah"));
  await two.maitred("logout");
  await two.chat.greets(GREETING);
  await one.page.reload();
  await one.chat.open();

  await one.chat.shows("hello to number 1");
  assert.deepEqual(await one.chat.transcript(), ["visitor: hello to number 1", "agent: Hello to you."]);
  assert.equal(one.eventsNamed("logout").length, 0);
  // A token of one is nothing to the other.
  site.chatToken = () => tokenFor(key, SARAH);
  await one.page.reload();
  assert.equal((await one.event("identify_failed")).code, "invalid_token");
  assert.ok(maitred.url);
});
