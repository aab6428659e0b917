import assert from "node:assert/strict";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { temporaryDirectory } from "../support/cleanup.mjs";
import { run, runForJson, startServer } from "../support/maitred.mjs";
import { until } from "../support/until.mjs";

const ORIGIN = "https://shop.example";

/**
 * A server with one agent and one key.
 *
 * @param {import("node:test").TestContext} t
 */
async function service(t) {
  const data = await temporaryDirectory(t);
  const { agent } = await runForJson(["agent", "create", "Ada", "--origin", ORIGIN, "--data", data]);
  const { key } = await runForJson(["key", "create", "--agent", agent, "--data", data]);
  const { maitred } = await startServer(t, data, {});
  const of = ["--agent", agent, "--data", data];
  const token = async () => {
    const minted = await runForJson(["token", "mint", "--sub", "7", "--email", "a@b.example", "--name", "Sarah", ...of]);
    return minted.token;
  };
  /** @param {string} token */
  const shows = async (token) => {
    const answer = await fetch(`${maitred.url}/v1/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ agent, environment: "production", page_origin: ORIGIN, token }),
    });
    return answer.status;
  };
  const logged = async () => runForJson(["token", "log", ...of]);
  return { data, agent, key, maitred, of, token, shows, logged };
}

test("L1: the log on the command line is that of the API, and reads by itself", async (t) => {
  const { data, agent, maitred, of, token, shows, logged } = await service(t);
  const { secret } = await runForJson(["api-key", "create", "--name", "test", "--data", data]);
  assert.equal(await shows(await token()), 201);
  assert.equal(await shows("not.a.token"), 401);
  await until("both are written", async () => (await logged()).length === 2);

  const told = await run(["token", "log", ...of]);
  const answer = await fetch(`${maitred.url}/api/agents/${agent}/verifications`, {
    headers: { authorization: `Bearer ${secret}` },
  });

  assert.match(told.stdout, /production {2}accepted {2}recognised Sarah {2}key …\w{4} {2}https:\/\/shop\.example\n/);
  assert.match(told.stdout, /production {2}refused {3}the token is malformed \(malformed\).*\n {10}fix: pass on exactly/);
  const { items } = await answer.json();
  assert.deepEqual(items.reverse(), await logged());
});

test("K6: a key says what depends on it, and whoever revokes it is told", async (t) => {
  const { key, of, token, shows, logged } = await service(t);
  const unused = await run(["key", "list", ...of]);
  assert.match(unused.stdout, /never used\n/);
  assert.equal(await shows(await token()), 201);
  assert.equal(await shows(await token()), 201);
  await until("both are written", async () => (await logged()).length === 2);

  const [listed] = await runForJson(["key", "list", ...of]);
  const impact = await runForJson(["key", "impact", key, ...of]);
  const revoked = await run(["key", "revoke", key, ...of]);

  assert.equal(listed.accepted_today, 2);
  assert.deepEqual({ ...impact, last_used_at: null }, {
    tokens: 2,
    subjects: 1,
    origins: [ORIGIN],
    live_sessions: 2,
    last_used_at: null,
  });
  // On a terminal it would ask.
  assert.equal(revoked.code, 0);
  assert.match(revoked.stderr, /vouched for 1 user with 2 tokens in the last 7 days.*\n.*\n2 sessions .* ends them\n/);
  assert.match(revoked.stdout, /is revoked, and its sessions have ended\n/);
});

test("L2: the checker knows that a user was logged out everywhere", async (t) => {
  const { data, of, token } = await service(t);
  const file = join(data, "token.txt");
  await writeFile(file, await token());
  const before = await run(["token", "check", file, ...of]);
  await run(["contact", "logout", "--subject", "7", ...of]);

  const after = await run(["token", "check", file, ...of]);

  assert.equal(before.code, 0, before.stdout);
  assert.equal(after.code, 1);
  assert.match(after.stdout, /failed +admission +.*\(token_revoked\)\n +fix: +sign in again/);
});
