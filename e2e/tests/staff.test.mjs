import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { greetingFor } from "../support/chat.mjs";
import { SARAH } from "../support/shop.mjs";
import { Site, startFor } from "../support/site.mjs";
import { tokenFor } from "../support/tokens.mjs";

test("T10: whoever acts as a customer is named in the chat", async (t) => {
  const site = await Site.start(t);
  site.chatToken = () => tokenFor(site.key, SARAH, { act: { sub: "alex@shop.example" } });
  await startFor(t, site, []);
  const tab = await (await newProfile(t)).open(site.origin);

  await tab.chat.open();

  await tab.chat.greets(greetingFor("Sarah"));
  assert.equal(await tab.chat.view.locator("[data-actor]").innerText(), "alex@shop.example is signed in as Sarah Miller");
  await tab.shot("staff");
});
