import assert from "node:assert/strict";
import { test } from "node:test";
import { FrozenTab } from "../support/frozen.mjs";
import { greetingFor } from "../support/chat.mjs";
import { newProfile } from "../support/browser.mjs";
import { SARAH, TOM } from "../support/shop.mjs";
import { Barrier, Site, startFor } from "../support/site.mjs";
import { tokenFor } from "../support/tokens.mjs";

const SAYS_HELLO = [{ when: "hello", deltas: [{ text: "Hello to you." }] }];

/** Sarah has left the page for another, and `next` is what the site says of her when she comes back to it. */
async function sarahComesBack(t, next) {
  const site = await Site.start(t);
  await startFor(t, site, SAYS_HELLO);
  const tab = await (await newProfile(t)).open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  await tab.chat.ask("hello from her");
  const frozen = await FrozenTab.of(t, tab.page);
  await tab.page.goto(`${site.origin}/plain`);
  const backend = new Barrier();
  site.chatToken = async () => {
    await backend.pass();
    return next(site);
  };

  await frozen.goBack();
  await backend.reached;
  const shown = await frozen.shown();
  backend.open();
  return { site, frozen, shown };
}

test("T16: a page from the back/forward cache shows nothing before it knows who is there, and then goes on", async (t) => {
  const { site, frozen, shown } = await sarahComesBack(t, ({ key }) => tokenFor(key, SARAH));

  assert.equal(shown, "", "nothing while the page is asked");
  const text = await frozen.showsAgain();
  assert.match(text, /Hi Sarah[\s\S]*hello from her/);
  assert.deepEqual(site.reasons, ["start", "start"]);
});

test("T16: a page from the back/forward cache shows nothing of who has left meanwhile", async (t) => {
  const { frozen, shown } = await sarahComesBack(t, () => null);

  assert.equal(shown, "");
  assert.match(await frozen.showsAgain(), /how can I help you today/);
  assert.doesNotMatch(await frozen.everything(), /Sarah|Miller|hello from her/);
});

test("T16: a page from the back/forward cache is the next visitor's, if there is one", async (t) => {
  const { frozen, shown } = await sarahComesBack(t, ({ key }) => tokenFor(key, TOM));

  assert.equal(shown, "");
  assert.match(await frozen.showsAgain(), /Hi Tom/);
  assert.doesNotMatch(await frozen.everything(), /Sarah|Miller|hello from her/);
});
