import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { ApiVisitor } from "../support/api.mjs";
import { startDemo } from "../support/maitred.mjs";
import { SARAH } from "../support/shop.mjs";
import { tokenFor } from "../support/tokens.mjs";
import { until } from "../support/until.mjs";

const PHRASES = new URL("../phrases.json", import.meta.url);

/** Says each in a conversation of its own; gives those that made the Action run. */
async function whatRunsTheAction(visitor, phrases) {
  const ran = [];
  for (const phrase of phrases) {
    const conversation = await visitor.says(phrase);
    const entries = await until(`an answer to “${phrase}”`, async () => {
      const entries = await visitor.entries(conversation);
      return entries.at(-1)?.by === "agent" && entries;
    });
    if (entries.some(({ kind, action }) => kind === "call" && action === "order_status")) ran.push(phrase);
  }
  return ran;
}

test("the meaning decides whether the Action runs, not the words", async (t) => {
  const { paraphrases, near_misses: nearMisses } = JSON.parse(await readFile(PHRASES, "utf8"));
  const { maitred, shop, settings } = await startDemo(t);
  const visitor = await ApiVisitor.enter(maitred.url, {
    agent: settings.agent,
    token: tokenFor(settings, SARAH),
    page_origin: shop,
  });

  const understood = await whatRunsTheAction(visitor, paraphrases);
  const misunderstood = await whatRunsTheAction(visitor, nearMisses);

  const missed = paraphrases.filter((phrase) => !understood.includes(phrase));
  t.diagnostic(`${understood.length} of ${paraphrases.length} paraphrases ran the Action; not: ${JSON.stringify(missed)}`);
  t.diagnostic(`${misunderstood.length} of ${nearMisses.length} near misses ran it: ${JSON.stringify(misunderstood)}`);
  assert.equal(paraphrases.length, 20);
  assert.equal(nearMisses.length, 20);
  assert.ok(understood.length >= 16, `${understood.length} of 20`);
  assert.ok(misunderstood.length <= 1, `${misunderstood.length} of 20`);
});
