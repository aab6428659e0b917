import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { startDemo } from "../support/maitred.mjs";
import { Site } from "../support/site.mjs";

test("a site that is not allowed cannot show the chat, and is told which origin to allow", async (t) => {
  const { maitred, settings } = await startDemo(t);
  const stranger = await Site.start(t);
  Object.assign(stranger, { maitred: maitred.url, agent: settings.agent, key: settings });
  const profile = await newProfile(t);
  const tab = await profile.open(stranger.origin);

  const error = await tab.event("error");

  assert.equal(error.code, "frame_unreachable");
  assert.ok(error.hint.includes(stranger.origin), error.hint);
  assert.deepEqual(tab.complaints, [`[maitred] ${error.code}: ${error.message}. ${error.hint}`]);
  assert.ok(tab.console.some(({ text }) => text.includes("frame-ancestors")), "the browser itself refused");
  assert.equal(await tab.page.getByRole("button", { name: "Open chat" }).count(), 0);
  assert.deepEqual(profile.answers, []);
});

test("the frame's page names who may show it, and nobody may show that of an unknown agent", async (t) => {
  const { maitred, shop, settings } = await startDemo(t);
  const policy = async (agent) => {
    const answer = await fetch(`${maitred.url}/frame/${agent}/production`);
    return /frame-ancestors ([^;]*)/.exec(answer.headers.get("content-security-policy") ?? "")?.[1];
  };

  assert.equal(await policy(settings.agent), shop);
  assert.equal(await policy("agt_00000000000000000000000000000000"), "'none'");
});
