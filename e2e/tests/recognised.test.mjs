import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { startDemo } from "../support/maitred.mjs";
import { KIM, SARAH, logIn } from "../support/shop.mjs";
import { until } from "../support/until.mjs";

test("who is logged in is greeted by name and reads the state of her own order", async (t) => {
  const { shop } = await startDemo(t);
  const profile = await newProfile(t);
  const { page, chat } = await profile.open(shop);
  await logIn(page, SARAH);

  await chat.open();
  await chat.greets(greetingFor("Sarah"));
  const answer = await chat.ask("What's the status of my order?");

  assert.match(answer, /A-10001 is on its way/);
  assert.match(answer, /FP447100932IE/);
  assert.equal(await chat.shield.getAttribute("aria-label"), "Signed in as Sarah Miller");
  assert.deepEqual(await chat.calls.allInnerTexts(), ["Looked up your orders"]);
});

test("a shop with a strict policy sees no violation of it", async (t) => {
  const { shop } = await startDemo(t);
  const profile = await newProfile(t);
  const tab = await profile.open(shop);
  await logIn(tab.page, SARAH);

  await tab.chat.open();
  await tab.chat.ask("What's the status of my order?");
  await tab.shot("recognised");
  await tab.page.reload();
  await tab.chat.open();
  await tab.chat.shows("What's the status of my order?");

  assert.deepEqual([tab.violations, tab.errors, tab.complaints], [[], [], []]);
  assert.deepEqual(tab.console.filter(({ type }) => type === "error"), []);
});

test("a violation of the shop's policy would have been seen", async (t) => {
  const { shop } = await startDemo(t);
  const profile = await newProfile(t);
  const tab = await profile.open(shop);

  await tab.page.evaluate(() => document.body.insertAdjacentHTML("beforeend", "<p style='color: red'>x</p>"));

  await until("the violation is reported", () => tab.violations.length > 0);
});

test("a customer whose name the shop does not know is recognised, too", async (t) => {
  const { shop } = await startDemo(t);
  const profile = await newProfile(t);
  const { page, chat } = await profile.open(shop);
  await logIn(page, KIM);

  await chat.open();
  await chat.greets(GREETING);
  const answer = await chat.ask("Where is my order?");

  assert.match(answer, /A-09990/);
  assert.equal(await chat.shield.getAttribute("aria-label"), "Signed in");
});
