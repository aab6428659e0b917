import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { SARAH, SECRETS_OF, TOM } from "../support/shop.mjs";
import { Site, startFor } from "../support/site.mjs";
import { now, tokenFor } from "../support/tokens.mjs";

const HER_WORDS = "What's the status of my order?";
const ALL_OF_HERS = [...SECRETS_OF.sarah, HER_WORDS, "A thought of hers"];

/**
 * A site whose tokens the test makes, and a tab that is not there yet.
 *
 * @param {import("node:test").TestContext} t
 * @param {"production" | "staging"} environment
 */
async function siteIn(t, environment) {
  const site = await Site.start(t, environment);
  await startFor(t, site, [{ when: "my order", deltas: [{ text: "A-10001 is on its way." }] }]);
  const profile = await newProfile(t);
  return { site, profile, tab: await profile.newTab() };
}

/** Sarah's running session, with a question asked and a draft begun. */
async function sarahOn(site, tab) {
  site.chatToken = () => tokenFor(site.key, SARAH);
  await tab.page.goto(site.origin);
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  assert.equal(await tab.chat.ask(HER_WORDS), "A-10001 is on its way.");
  await tab.chat.composer.fill("A thought of hers");
}

const wronglySigned = ({ key }) => tokenFor({ ...key, secret: `mtd_live_${randomBytes(32).toString("base64url")}` }, SARAH);
const expired = ({ key }) => tokenFor(key, SARAH, { iat: now() - 7200, exp: now() - 3600 });

/** What the page, its console and its visitor are told of a refusal. */
async function isToldOnce(tab, code) {
  const detail = await tab.event("identify_failed");
  assert.equal(detail.code, code);
  assert.ok(detail.message.length > 10, "a sentence");
  assert.ok(detail.hint.length > 10, "what to do about it");
  assert.deepEqual(tab.complaints, [`[maitred] ${code}: ${detail.message}. ${detail.hint}`]);
  assert.equal(tab.eventsNamed("identify_failed").length, 1);
}

/** Locked: no history, no composer, no session, and above all not anonymous. */
async function isLocked(tab, profile) {
  await tab.chat.gate.getByText("We could not confirm who you are").waitFor();
  assert.equal(await tab.chat.composer.count(), 0);
  assert.equal(await tab.chat.greeting.count(), 0);
  assert.deepEqual(await tab.maitred("state"), { open: true, unread: 0, assurance: null, contact: null });
  await tab.chat.showsNothingOf(ALL_OF_HERS);
  const made = profile.answers.filter(({ request }) => request === "POST /v1/sessions" || request === "POST /v1/session/identity");
  assert.equal(made.at(-1).status, 401, "the last word was a refusal: nothing anonymous came after it");
}

const refusals = [
  { name: "a wrong signature", token: wronglySigned, environment: "production", code: "invalid_token" },
  { name: "a wrong signature", token: wronglySigned, environment: "staging", code: "bad_signature" },
  { name: "a time that is over", token: expired, environment: "production", code: "token_expired" },
  { name: "a time that is over", token: expired, environment: "staging", code: "token_expired" },
];

for (const { name, token, environment, code } of refusals) {
  test(`a token with ${name} is \`${code}\` in ${environment}, and nobody is let in`, async (t) => {
    const { site, profile, tab } = await siteIn(t, environment);
    site.chatToken = () => token(site);

    await tab.page.goto(site.origin);

    await isToldOnce(tab, code);
    await tab.chat.open();
    await isLocked(tab, profile);
    assert.deepEqual(profile.sessions, [], "no session was ever used");
    await tab.shot(`refused-${code}-${environment}`);
  });

  test(`a token with ${name} in Sarah's running session locks it in ${environment}`, async (t) => {
    const { site, profile, tab } = await siteIn(t, environment);
    await sarahOn(site, tab);

    await assert.rejects(tab.maitred("identify", { token: token(site) }));

    await isToldOnce(tab, code);
    await isLocked(tab, profile);
  });

  test(`a token with ${name} does not leave an anonymous visitor anonymous in ${environment}`, async (t) => {
    const { site, profile, tab } = await siteIn(t, environment);
    site.chatToken = () => null;
    await tab.page.goto(site.origin);
    await tab.chat.open();
    await tab.chat.greets(GREETING);
    await tab.chat.ask(HER_WORDS);

    await assert.rejects(tab.maitred("identify", { token: token(site) }));

    await isToldOnce(tab, code);
    await isLocked(tab, profile);
  });
}

for (const environment of /** @type {const} */ (["production", "staging"])) {
  test(`a token for another user in a running session starts over as that one in ${environment}`, async (t) => {
    const { site, profile, tab } = await siteIn(t, environment);
    await sarahOn(site, tab);

    await tab.maitred("identify", { token: tokenFor(site.key, TOM) });

    await tab.chat.greets(greetingFor("Tom"));
    assert.deepEqual(await tab.chat.transcript(), []);
    await tab.chat.showsNothingOf([...ALL_OF_HERS, ...profile.sessions.slice(0, 1)]);
    await isToldOnce(tab, "identity_mismatch");
    const mismatch = profile.answers.find(({ request }) => request === "POST /v1/session/identity");
    assert.equal(mismatch?.status, 409);
    assert.equal((await tab.maitred("state")).contact.name, "Tom Okafor");
  });
}

test("a page that cannot say who is there locks the chat, and says so", async (t) => {
  const { site, profile, tab } = await siteIn(t, "production");
  site.chatToken = () => 500;

  await tab.page.goto(site.origin);

  await isToldOnce(tab, "token_unavailable");
  await tab.chat.open();
  await tab.chat.gate.getByText("We could not confirm who you are").waitFor();
  assert.deepEqual(profile.answers.filter(({ request }) => request.startsWith("POST /v1/session")), []);
});
