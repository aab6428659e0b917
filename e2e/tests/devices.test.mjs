import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { startDemo } from "../support/maitred.mjs";
import { SARAH, logIn, logInByForm } from "../support/shop.mjs";

test("a second browser has the conversation, and both hear each other without a reload", async (t) => {
  const { shop } = await startDemo(t);
  const phone = await (await newProfile(t)).open(shop);
  await logIn(phone.page, SARAH);
  await phone.chat.open();
  await phone.chat.ask("What's the status of my order?");

  const laptop = await (await newProfile(t)).newTab();
  await logInByForm(laptop.page, shop, SARAH);
  await laptop.chat.open();
  await laptop.chat.shows("What's the status of my order?");
  assert.deepEqual(await laptop.chat.transcript(), await phone.chat.transcript());

  await phone.chat.say("How much does delivery cost?");
  await laptop.chat.shows("How much does delivery cost?");
  await laptop.chat.answer(2);
  await laptop.chat.say("And how do I send something back?");
  await phone.chat.shows("And how do I send something back?");
  await phone.chat.answer(3);
  await laptop.chat.answer(3);

  assert.deepEqual(await phone.chat.transcript(), await laptop.chat.transcript());
  assert.equal((await phone.chat.transcript()).length, 6);
});

test("a chat that was begun on one device opens on the other, where nothing was", async (t) => {
  const { shop } = await startDemo(t);
  const [phone, laptop] = [await (await newProfile(t)).open(shop), await (await newProfile(t)).open(shop)];
  for (const { page, chat } of [phone, laptop]) {
    await logIn(page, SARAH);
    await chat.open();
    await chat.greets("Hi Sarah, how can I help you today?");
  }

  await phone.chat.ask("How long does delivery take?");

  await laptop.chat.answer(1);
  assert.deepEqual(await laptop.chat.transcript(), await phone.chat.transcript());
});
