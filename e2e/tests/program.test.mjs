import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { temporaryDirectory } from "../support/cleanup.mjs";
import { freePort, run, runForJson, startDemo } from "../support/maitred.mjs";
import { SARAH, logIn } from "../support/shop.mjs";

test("the demo prints where it is and who can log in", async (t) => {
  const { maitred, shop } = await startDemo(t);

  for (const part of [maitred.url, shop, "sarah.miller@example.com", "tom.okafor@example.com", "k.lindqvist@example.com"]) {
    assert.ok(maitred.output.includes(part), part);
  }
});

test("a taken port says so and how to choose another", async (t) => {
  const { maitred, shop } = await startDemo(t);
  const [taken, takenByShop] = [new URL(maitred.url).host, new URL(shop).host];
  const free = await freePort();
  const data = await temporaryDirectory(t);

  const ours = await run(["demo", "--listen", taken, "--shop", `localhost:${free}`, "--data", data]);
  const theirs = await run(["demo", "--listen", `127.0.0.1:${free}`, "--shop", takenByShop, "--data", data]);

  assert.equal(ours.code, 3);
  assert.match(ours.stderr, new RegExp(`\`${taken}\` is already in use\nhint: .*--listen 127.0.0.1:\\d+`));
  assert.equal(theirs.code, 3);
  assert.match(theirs.stderr, /is already in use\nhint: .*--shop localhost:\d+/);
});

test("a demo's data is not served to others", async (t) => {
  const { maitred, data } = await startDemo(t);
  await maitred.stop();

  const refused = await run(["serve", "--listen", `127.0.0.1:${await freePort()}`, "--data", data]);

  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /holds the data of a demo.*\nhint: /);
});

test("a demo listens on loopback only", async (t) => {
  const data = await temporaryDirectory(t);

  const refused = await run(["demo", "--listen", "0.0.0.0:7070", "--data", data]);

  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /is not a loopback address\nhint: /);
});

test("Ctrl-C stops it cleanly while a chat is open, and a second start finds everything again", async (t) => {
  const { maitred, shop, restart } = await startDemo(t);
  const tab = await (await newProfile(t)).open(shop);
  await logIn(tab.page, SARAH);
  await tab.chat.open();
  await tab.chat.ask("What's the status of my order?");
  const before = await tab.chat.transcript();

  await maitred.stop("SIGINT");
  await restart();
  await tab.page.reload();

  await tab.chat.open();
  await tab.chat.shows("What's the status of my order?");
  assert.deepEqual(await tab.chat.transcript(), before);
});

test("a token is checked step by step, and a staging key is named", async (t) => {
  const data = await temporaryDirectory(t);
  const { agent } = await runForJson(["agent", "create", "Ada", "--data", data]);
  const file = join(data, "token.txt");
  const checked = async (environment) => {
    await runForJson(["key", "create", "--agent", agent, "--environment", environment, "--data", data]);
    const minting = ["token", "mint", "--sub", "7", "--email", "a@b.example", "--agent", agent, "--environment", environment];
    const { token } = await runForJson([...minting, "--data", data]);
    await writeFile(file, `${token}\n`);
    return run(["token", "check", file, "--agent", agent, "--data", data]);
  };

  const good = await checked("production");
  const staging = await checked("staging");

  assert.equal(good.code, 0);
  assert.match(good.stdout, /accepted\n$/);
  assert.equal(staging.code, 1);
  assert.match(staging.stdout, /failed +key +the token is signed with the staging key .*\(wrong_environment\)/);
});
