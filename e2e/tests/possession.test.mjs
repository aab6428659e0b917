import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { test } from "node:test";
import { BOUND, sessionState } from "../support/api.mjs";
import { newProfile, withoutCryptography } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { runForJson } from "../support/maitred.mjs";
import { SARAH } from "../support/shop.mjs";
import { Site, sha256, startFor } from "../support/site.mjs";
import { until } from "../support/until.mjs";

const SAYS_HELLO = [{ when: "hello", deltas: [{ text: "Hello to you." }] }];

async function siteWithChat(t, { storage = "partitioned", named = true } = {}) {
  const site = await Site.start(t);
  if (!named) site.chatToken = () => null;
  const { maitred, data } = await startFor(t, site, SAYS_HELLO);
  const profile = await newProfile(t, /** @type {"partitioned" | "blocked"} */ (storage));
  return { site, maitred, data, profile };
}

async function sarah(t, options) {
  const all = await siteWithChat(t, options);
  const tab = await all.profile.open(all.site.origin);
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  await tab.chat.ask("hello");
  return { ...all, tab };
}

/** A thief's proof, as good as it gets without the browser's key. */
function proofBy({ privateKey, publicKey }, { method, url, session, nonce }) {
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { kty, crv, x, y } = publicKey.export({ format: "jwk" });
  const claims = { jti: randomUUID(), htm: method, htu: url, ath: sha256(session), nonce };
  const input = `${encoded({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } })}.${encoded(claims)}`;
  return `${input}.${sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

test("S4: a session string that was copied opens nothing outside its browser", async (t) => {
  const { maitred, profile, tab } = await sarah(t);
  const [session] = profile.sessions;
  const asks = async (method, path, headers = {}, body) => {
    const answer = await fetch(`${maitred.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${session}`, "content-type": "application/json", ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const { error } = await answer.json();
    return { status: answer.status, code: error?.code, nonce: answer.headers.get("dpop-nonce") };
  };

  const conversation = `/v1/conversations/${(await tab.event("message_sent")).conversation}`;
  const refused = [
    await asks("GET", "/v1/session"),
    await asks("DELETE", "/v1/session"),
    await asks("GET", "/v1/conversations"),
    await asks("GET", `${conversation}/entries`),
    await asks("POST", `${conversation}/messages`, {}, { id: randomUUID(), text: "I am Sarah" }),
    await asks("GET", "/v1/events"),
  ];
  const { nonce } = refused[0];
  const thief = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const dpop = proofBy(thief, { method: "GET", url: `${maitred.url}/v1/conversations`, session, nonce });
  refused.push(await asks("GET", "/v1/conversations", { dpop }));

  for (const { status, code } of refused) assert.deepEqual({ status, code }, BOUND);
  await tab.chat.ask("hello again");
  assert.equal((await tab.chat.transcript()).length, 4, "and its owner goes on");
});

test("S4: a proof that was overheard proves nothing a second time", async (t) => {
  const { maitred, profile, tab } = await sarah(t);
  /** @type {{ url: string, headers: Record<string, string> } | undefined} */
  let overheard;
  profile.context.on("request", (request) => {
    if (request.method() === "GET" && request.url().includes("/v1/conversations?")) overheard = { url: request.url(), headers: request.headers() };
  });
  await tab.chat.view.getByRole("button", { name: "Menu" }).click();
  await tab.chat.view.getByRole("button", { name: "Your conversations" }).click();
  const { url, headers } = await until("the list is asked for", () => overheard);
  await tab.chat.view.locator(".list li").first().waitFor();

  const again = await fetch(url, { headers: { authorization: headers["authorization"], dpop: headers["dpop"] } });

  assert.equal(headers["dpop"].split(".").length, 3);
  assert.equal(again.status, 401);
  assert.equal((await again.json()).error.code, "invalid_proof");
  assert.ok(url.startsWith(maitred.url));
});

test("S1: the browser keeps a key that cannot be read, and nothing else of Sarah", async (t) => {
  const { profile, tab } = await sarah(t);

  const { local, session, databases, caches, cookie } = await tab.chat.storage();
  const kept = await tab.chat.keptKeys();

  assert.deepEqual({ local, session, databases, caches, cookie }, { local: {}, session: {}, databases: ["maitred"], caches: [], cookie: "" });
  assert.deepEqual(kept.map(({ extractable, algorithm, usages, names }) => ({ extractable, algorithm, usages, names })), [
    { extractable: false, algorithm: "P-256", usages: ["sign"], names: ["jwk", "pair"] },
  ]);
  assert.equal(profile.sessions.length, 1);
});

test("S7: the secret of an anonymous visitor brings nobody back without the key", async (t) => {
  const { site, profile } = await siteWithChat(t, { named: false });
  const tab = await profile.open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(GREETING);
  await tab.chat.ask("hello from a stranger");
  const { local } = await tab.chat.storage();
  const [[name, secret]] = Object.entries(local).filter(([each]) => each.endsWith(":visitor"));
  assert.match(secret, /^mtd_visitor_/);

  const thief = await (await newProfile(t)).open(site.origin);
  await thief.chat.launcher.waitFor();
  await thief.chat.store(name, secret);
  await thief.page.reload();
  await thief.chat.open();
  await thief.chat.greets(GREETING);
  await thief.chat.ask("hello from a thief");

  assert.deepEqual(await thief.chat.transcript(), ["visitor: hello from a thief", "agent: Hello to you."]);
  await tab.page.reload();
  await tab.chat.open();
  await tab.chat.shows("hello from a stranger");
});

test("S4: where storage is blocked the key is in memory, and a copied session is as useless", async (t) => {
  const { maitred, profile, tab } = await sarah(t, { storage: "blocked" });
  await assert.rejects(tab.chat.storage(), /Access is denied/);
  const [session] = profile.sessions;

  assert.deepEqual(await sessionState(maitred.url, session), BOUND);
  assert.deepEqual([tab.errors, tab.complaints], [[], []]);
  assert.deepEqual(profile.answers.filter(({ status }) => status >= 400), [], "no request had to be tried twice");
});

test("S4: without cryptography the chat goes on, unless the agent requires proof", async (t) => {
  const { site, maitred, data, profile } = await siteWithChat(t);
  await profile.context.addInitScript(withoutCryptography);
  const tab = await profile.open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  assert.deepEqual(await sessionState(maitred.url, profile.sessions[0]), { status: 200, code: null });

  await runForJson(["agent", "set", "--agent", site.agent, "--proof-of-possession", "required", "--data", data]);
  await until("the server knows of it", async () => {
    const answer = await fetch(`${maitred.url}/v1/agents/${site.agent}/production`);
    return (await answer.json()).proof_of_possession === "required";
  });
  await tab.page.reload();
  await tab.chat.open();

  await tab.chat.gate.getByText("This page is not secure").waitFor();
  const { code, hint } = tab.eventsNamed("identify_failed").at(-1);
  assert.equal(code, "secure_context_needed");
  assert.match(hint, /https/);
  await tab.shot("insecure");
});
