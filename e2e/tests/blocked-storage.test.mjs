import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { startDemo } from "../support/maitred.mjs";
import { SARAH, logIn, logOut } from "../support/shop.mjs";

const QUESTION = "How long does delivery take?";
const HER_WORDS = "Tell me, where is my order?";

/** A tab of a browser that refuses storage to frames of other sites. */
async function withoutStorage(t, shop) {
  const profile = await newProfile(t, "blocked");
  const tab = await profile.open(shop);
  await tab.chat.launcher.waitFor();
  await assert.rejects(tab.chat.storage(), /Access is denied/);
  return { profile, tab };
}

test("where storage is blocked the chat works, and a login goes on with the conversation", async (t) => {
  const { shop } = await startDemo(t);
  const { tab } = await withoutStorage(t, shop);
  await tab.chat.open();
  await tab.chat.greets(GREETING);
  await tab.chat.ask(QUESTION);
  const before = await tab.chat.transcript();

  await logIn(tab.page, SARAH);

  await tab.chat.greets(greetingFor("Sarah"));
  await tab.chat.statuses.getByText("Continued from before you signed in").waitFor();
  assert.deepEqual(await tab.chat.transcript(), before);
  assert.deepEqual([tab.errors, tab.complaints], [[], []]);
});

test("where storage is blocked a verified visitor loses nothing by a reload", async (t) => {
  const { shop } = await startDemo(t);
  const { tab } = await withoutStorage(t, shop);
  await logIn(tab.page, SARAH);
  await tab.chat.open();
  await tab.chat.ask(HER_WORDS);
  const before = await tab.chat.transcript();

  await tab.page.reload();

  await tab.chat.open();
  await tab.chat.shows(HER_WORDS);
  assert.deepEqual(await tab.chat.transcript(), before);
});

test("where storage is blocked a logout still reaches the other tabs", async (t) => {
  const { shop } = await startDemo(t);
  const { profile, tab } = await withoutStorage(t, shop);
  await logIn(tab.page, SARAH);
  const other = await profile.open(shop);
  await other.chat.open();
  await other.chat.ask(HER_WORDS);

  await logOut(tab.page);

  await other.chat.greets(GREETING);
  assert.equal(await other.chat.messages("visitor").count(), 0);
});
