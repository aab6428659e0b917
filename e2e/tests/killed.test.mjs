import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { Barrier, Site, sha256, startFor, verifiedAssertion } from "../support/site.mjs";
import { SARAH } from "../support/shop.mjs";

const ORDER = "Where is my parcel?";
const HELLO = "Tell me a story";

/** Sarah's chat, on a site whose agent follows a script. */
async function sarahOn(t, replies) {
  const site = await Site.start(t);
  const service = await startFor(t, site, replies(`${site.origin}/hold`));
  const tab = await (await newProfile(t)).open(site.origin);
  await tab.chat.open();
  await tab.chat.greets("Hi Sarah, how can I help you today?");
  return { site, service, tab };
}

const asksTheShop = () => [
  { when: "parcel", deltas: [{ call: "parcel", arguments: {} }] },
  { when: "parcel", after_call: true, deltas: [{ text: "That is all I know." }] },
];

const tellsAStory = (hold) => [{ when: "story", deltas: [{ text: "Once upon " }, { hold }, { text: "a time." }] }];

test("an Action's call carries a good assertion of whose it is", async (t) => {
  const { site, service, tab } = await sarahOn(t, asksTheShop);
  site.api.open();

  await tab.chat.ask(ORDER);

  const url = `${site.origin}/api/customers/${SARAH.id}/parcel`;
  const [call] = site.calls;
  const { iat, exp, jti, conversation, call: id, ...claims } = await verifiedAssertion(service.maitred.url, call);
  assert.deepEqual(claims, {
    iss: service.maitred.url,
    aud: site.origin,
    agent: site.agent,
    environment: "production",
    action: "parcel",
    sub: SARAH.id,
    email: SARAH.email,
    email_verified: true,
    assurance: "verified",
    htm: "GET",
    htu: url,
    body_sha256: sha256(""),
  });
  assert.equal(exp - iat, 60);
  assert.match(conversation, /^cnv_/);
  assert.equal(call.headers["idempotency-key"], id);
  assert.ok(jti.length >= 16);
  assert.equal(site.calls.length, 1);
});

test("killed while the shop's API holds the call open: it is not called again, and the turn ends visibly", async (t) => {
  const { site, service, tab } = await sarahOn(t, asksTheShop);
  await tab.chat.say(ORDER);
  await site.api.reached;
  await tab.chat.calls.getByText("Asking for your parcel…").waitFor();

  await service.maitred.kill();
  site.api.open();
  await service.restart();
  await tab.page.reload();
  await tab.chat.open();

  assert.equal(await tab.chat.answer(1), "That is all I know.");
  assert.deepEqual(await tab.chat.transcript(), [`visitor: ${ORDER}`, "agent: That is all I know."]);
  assert.equal(await tab.chat.calls.count(), 1);
  assert.equal(await tab.chat.calls.getAttribute("data-outcome"), "unknown");
  assert.match(await tab.chat.calls.innerText(), /outcome is unknown/);
  assert.equal(site.calls.length, 1, "the shop was called once");
  await tab.shot("killed-during-a-call");
});

test("killed between two deltas: the message is there once, and the turn ends with the whole answer", async (t) => {
  const { site, service, tab } = await sarahOn(t, tellsAStory);
  await tab.chat.say(HELLO);
  await site.model.reached;
  await tab.chat.streaming.getByText("Once upon").waitFor();
  await tab.shot("streaming");

  await service.maitred.kill();
  site.model.open();
  await service.restart();
  await tab.page.reload();
  await tab.chat.open();

  assert.equal(await tab.chat.answer(1), "Once upon a time.");
  assert.deepEqual(await tab.chat.transcript(), [`visitor: ${HELLO}`, "agent: Once upon a time."]);
  assert.equal(site.model.arrivals, 2, "the model was asked again");
});

test("killed between two deltas, the page that stays open gets the whole answer by itself", async (t) => {
  const { site, service, tab } = await sarahOn(t, tellsAStory);
  await tab.chat.say(HELLO);
  await site.model.reached;
  await tab.chat.streaming.getByText("Once upon").waitFor();

  await service.maitred.kill();
  site.model.open();
  await service.restart();

  assert.equal(await tab.chat.answer(1), "Once upon a time.");
  assert.deepEqual(await tab.chat.transcript(), [`visitor: ${HELLO}`, "agent: Once upon a time."]);
});

test("killed again while the turn was taken up: it is closed, and the visitor is told", async (t) => {
  const { site, service, tab } = await sarahOn(t, tellsAStory);
  await tab.chat.say(HELLO);
  await site.model.reached;
  await service.maitred.kill();
  site.model = new Barrier();
  const second = await service.restart();
  await site.model.reached;

  await second.kill();
  site.model.open();
  await service.restart();
  await tab.page.reload();
  await tab.chat.open();

  await tab.chat.view.locator("[data-status=interrupted]").waitFor();
  await tab.chat.isQuiet();
  assert.deepEqual(await tab.chat.transcript(), [`visitor: ${HELLO}`]);
  await tab.shot("interrupted");
});
