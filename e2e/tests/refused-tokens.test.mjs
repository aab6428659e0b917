import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { runForJson, startDemo } from "../support/maitred.mjs";
import { SARAH, SECRETS_OF, TOM } from "../support/shop.mjs";
import { now, tokenFor } from "../support/tokens.mjs";
import { until } from "../support/until.mjs";

const HER_WORDS = "What's the status of my order?";

/**
 * The shop with a page for each environment, whose tokens the test makes.
 *
 * @param {import("node:test").TestContext} t
 * @param {"production" | "staging"} environment
 */
async function shopIn(t, environment) {
  const { maitred, shop, data, settings } = await startDemo(t);
  const { agent } = settings;
  const key =
    environment === "production"
      ? settings
      : await runForJson(["key", "create", "--agent", agent, "--environment", environment, "--data", data]);
  const profile = await newProfile(t);
  const tab = await profile.newTab();
  const site = { token: /** @type {string | null} */ (null), key, tab, profile, address: `${shop}/${environment}` };
  await profile.context.route(site.address, (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<!doctype html><title>A page</title><div id="account"></div>
        <script src="${maitred.url}/widget.js" data-agent="${agent}" data-environment="${environment}" async></script>
        <script>
          maitred('identify', { getToken: () => fetch('/chat-token').then(r => r.status === 204 ? null : r.text()) })
        </script>`,
    }),
  );
  await profile.context.route(`${shop}/chat-token`, (route) =>
    site.token === null ? route.fulfill({ status: 204 }) : route.fulfill({ contentType: "text/plain", body: site.token }),
  );
  return site;
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
  await tab.chat.showsNothingOf([...SECRETS_OF.sarah, ...SECRETS_OF.tom]);
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
    const site = await shopIn(t, environment);
    const { tab, profile } = site;
    site.token = token(site);

    await tab.page.goto(site.address);

    await isToldOnce(tab, code);
    await tab.chat.open();
    await isLocked(tab, profile);
    assert.deepEqual(profile.sessions, [], "no session was ever used");
    await tab.shot(`refused-${code}-${environment}`);
  });

  test(`a token with ${name} in Sarah's running session locks it in ${environment}`, async (t) => {
    const site = await shopIn(t, environment);
    const { tab, profile } = site;
    site.token = tokenFor(site.key, SARAH);
    await tab.page.goto(site.address);
    await tab.chat.open();
    await tab.chat.greets(greetingFor("Sarah"));
    await tab.chat.ask("How long does delivery take?");
    const refused = token(site);

    await tab.maitred("identify", { token: refused }).catch(() => undefined);

    await isToldOnce(tab, code);
    await isLocked(tab, profile);
    assert.doesNotMatch(await tab.chat.everything(), /How long does delivery take/);
  });

  test(`a token with ${name} does not leave an anonymous visitor anonymous in ${environment}`, async (t) => {
    const site = await shopIn(t, environment);
    const { tab, profile } = site;
    await tab.page.goto(site.address);
    await tab.chat.open();
    await tab.chat.greets(GREETING);
    await tab.chat.ask("How long does delivery take?");

    await tab.maitred("identify", { token: token(site) }).catch(() => undefined);

    await isToldOnce(tab, code);
    await isLocked(tab, profile);
  });
}

for (const environment of /** @type {const} */ (["production", "staging"])) {
  test(`a token for another user in a running session starts over as that one in ${environment}`, async (t) => {
    const site = await shopIn(t, environment);
    const { tab, profile } = site;
    site.token = tokenFor(site.key, SARAH);
    await tab.page.goto(site.address);
    await tab.chat.open();
    await tab.chat.greets(greetingFor("Sarah"));
    await tab.chat.ask(HER_WORDS);
    await tab.chat.composer.fill("A thought of hers");
    site.token = tokenFor(site.key, TOM);

    await tab.maitred("identify", { token: site.token });

    await tab.chat.greets(greetingFor("Tom"));
    assert.deepEqual(await tab.chat.transcript(), []);
    await tab.chat.showsNothingOf([...SECRETS_OF.sarah, HER_WORDS, "A thought of hers"]);
    await isToldOnce(tab, "identity_mismatch");
    const mismatch = profile.answers.find(({ request }) => request === "POST /v1/session/identity");
    assert.equal(mismatch.status, 409);
    await until("Tom is the one the page knows", async () => (await tab.maitred("state")).contact?.name === "Tom Okafor");
  });
}

test("a page that cannot say who is there locks the chat, and says so", async (t) => {
  const { shop } = await startDemo(t);
  const profile = await newProfile(t);
  await profile.context.route(`${shop}/chat-token`, (route) => route.fulfill({ status: 500 }));
  const tab = await profile.open(shop);

  await isToldOnce(tab, "token_unavailable");
  await tab.chat.open();

  await tab.chat.gate.getByText("We could not confirm who you are").waitFor();
  assert.deepEqual(profile.answers.filter(({ request }) => request.startsWith("POST /v1/session")), []);
});
