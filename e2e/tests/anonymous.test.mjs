import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionState } from "../support/api.mjs";
import { newProfile } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { startDemo } from "../support/maitred.mjs";
import { SARAH, SECRETS_OF, logIn, logInByForm } from "../support/shop.mjs";
import { Site, startFor } from "../support/site.mjs";
import { tokenFor } from "../support/tokens.mjs";

const QUESTION = "How long does delivery take?";

async function anonymousChat(t, shop) {
  const profile = await newProfile(t);
  const tab = await profile.open(shop);
  await tab.chat.open();
  await tab.chat.greets(GREETING);
  return { profile, tab, answer: await tab.chat.ask(QUESTION) };
}

test("who is not logged in gets an answer with its source", async (t) => {
  const { shop } = await startDemo(t);

  const { tab, answer } = await anonymousChat(t, shop);

  assert.match(answer, /working day/);
  const source = tab.chat.messages("agent").locator(".sources a").first();
  assert.ok((await source.getAttribute("href"))?.startsWith(`${shop}/help/shipping`));
  assert.equal(await source.getAttribute("rel"), "noopener noreferrer nofollow");
  await tab.shot("anonymous");
});

test("who is not logged in is told that signing in would help with an order", async (t) => {
  const { shop } = await startDemo(t);
  const { tab } = await anonymousChat(t, shop);

  const answer = await tab.chat.ask("What's the status of my order?");

  assert.match(answer, /sign|log/i);
  assert.equal(await tab.chat.calls.count(), 0);
  await tab.chat.showsNothingOf([...SECRETS_OF.sarah, ...SECRETS_OF.tom]);
});

test("a login without a reload goes on with the same conversation, now by name", async (t) => {
  const { maitred, shop } = await startDemo(t);
  const { profile, tab } = await anonymousChat(t, shop);
  const [anonymous] = profile.sessions;
  const before = await tab.chat.transcript();

  await logIn(tab.page, SARAH);

  await tab.chat.greets(greetingFor("Sarah"));
  await tab.chat.statuses.getByText("Continued from before you signed in").waitFor();
  assert.deepEqual(await tab.chat.transcript(), before);
  assert.deepEqual(await sessionState(maitred.url, anonymous), { status: 401, code: "session_revoked" });
  await tab.shot("continued");
  assert.match(await tab.chat.ask("And what is the status of my order?"), /A-10001/);
  assert.deepEqual((await tab.chat.transcript()).slice(0, before.length), before);
});

test("a login with a reload goes on with the same conversation, too", async (t) => {
  const { shop } = await startDemo(t);
  const { tab } = await anonymousChat(t, shop);
  const before = await tab.chat.transcript();

  await logInByForm(tab.page, shop, SARAH);

  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  await tab.chat.statuses.getByText("Continued from before you signed in").waitFor();
  assert.deepEqual(await tab.chat.transcript(), before);
});

test("“Not mine” takes away at once what came along", async (t) => {
  const { shop } = await startDemo(t);
  const { tab } = await anonymousChat(t, shop);
  await logIn(tab.page, SARAH);

  await tab.chat.view.getByRole("button", { name: "Not mine" }).click();

  await tab.chat.messages("visitor").first().waitFor({ state: "detached" });
  await tab.page.reload();
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  assert.deepEqual(await tab.chat.transcript(), []);
});

test("an anonymous conversation is there after a reload", async (t) => {
  const { shop } = await startDemo(t);
  const { tab } = await anonymousChat(t, shop);
  const before = await tab.chat.transcript();

  await tab.page.reload();

  await tab.chat.open();
  await tab.chat.shows(QUESTION);
  assert.deepEqual(await tab.chat.transcript(), before);
});

test("M1: the conversation that is open goes along, and not a later one", async (t) => {
  const site = await Site.start(t);
  site.chatToken = () => null;
  await startFor(t, site, [{ when: "hello", deltas: [{ text: "Hello to you." }] }]);
  const tab = await (await newProfile(t)).open(site.origin);
  await tab.chat.open();
  const menu = async (item) => {
    await tab.chat.view.getByRole("button", { name: "Menu" }).click();
    await tab.chat.view.getByRole("button", { name: item }).click();
  };
  await tab.chat.ask("hello, the first");
  await menu("New conversation");
  await tab.chat.ask("hello, the second");
  await menu("Your conversations");
  await tab.chat.view.getByRole("button", { name: /hello, the first/ }).click();
  await tab.chat.shows("hello, the first");

  await tab.maitred("identify", { token: tokenFor(site.key, SARAH) });

  await tab.chat.statuses.getByText("Continued from before you signed in").waitFor();
  assert.deepEqual(await tab.chat.transcript(), ["visitor: hello, the first", "agent: Hello to you."]);
  await menu("Your conversations");
  await tab.chat.view.locator(".list li").first().waitFor();
  assert.equal(await tab.chat.view.locator(".list li").count(), 1, "the other one stayed where it was");
});
