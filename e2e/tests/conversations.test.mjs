import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { newLaptop, newPhone, newProfile } from "../support/browser.mjs";
import { greetingFor } from "../support/chat.mjs";
import { Lid } from "../support/lid.mjs";
import { SARAH } from "../support/shop.mjs";
import { Site, startFor } from "../support/site.mjs";
import { tokenFor } from "../support/tokens.mjs";
import { until } from "../support/until.mjs";

const script = (hold) => [
  { when: "shoes", deltas: [{ text: "The blue shoes are back on Thursday." }] },
  { when: "coats", deltas: [{ text: "Coats are in the crème brûlée colour." }] },
  { when: "story", deltas: [{ text: "Once upon " }, { hold }, { text: "a time." }] },
];

async function shopWithChat(t) {
  const site = await Site.start(t);
  const service = await startFor(t, site, script(`${site.origin}/hold`));
  return { site, ...service };
}

/** Sarah's chat in a browser of its own, the window open. */
async function sarahOn(profile, site) {
  const tab = await profile.open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  return tab;
}

/** Two desktops and a phone, all Sarah's. */
async function threeDevices(t) {
  const shop = await shopWithChat(t);
  const profiles = [await newProfile(t), await newProfile(t), await newPhone(t)];
  const [desk, laptop, phone] = await Promise.all(profiles.map((profile) => sarahOn(profile, shop.site)));
  return { ...shop, desk, laptop, phone, all: [desk, laptop, phone] };
}

const nothingWentWrong = (...tabs) => {
  for (const { errors, complaints, violations } of tabs) assert.deepEqual([errors, complaints, violations], [[], [], []]);
};

test("three devices of one visitor: words, marks, badges, typing, names and endings are live on all", async (t) => {
  const { site, desk, laptop, phone, all } = await threeDevices(t);

  // What is said on one is there on all; where the window is closed, the badge counts it.
  await phone.chat.close();
  await laptop.chat.say("Tell me a story");
  await laptop.chat.streaming.getByText("Once upon").waitFor();
  await desk.chat.shows("Tell me a story");
  await desk.chat.close();
  await laptop.chat.close();
  site.model.open();
  for (const { chat } of all) await chat.hasBadge("1");
  assert.equal((await phone.maitred("state")).unread, 1);

  // Read on one, it is read on all.
  await phone.chat.open();
  assert.equal(await phone.chat.answer(1), "Once upon a time.");
  for (const { chat } of all) await chat.hasBadge("");
  assert.deepEqual(desk.eventsNamed("unread").map(({ count }) => count), [1, 0]);

  // What is typed on one is told on the others.
  await desk.chat.open();
  await laptop.chat.open();
  await phone.chat.composer.pressSequentially("and the sh");
  for (const { chat } of [desk, laptop]) await chat.elsewhere.waitFor();
  assert.equal(await phone.chat.elsewhere.count(), 0);
  await laptop.shot("typing-elsewhere");
  await phone.chat.composer.fill("and the shoes?");
  await phone.chat.composer.press("Enter");
  for (const { chat } of all) {
    await chat.shows("The blue shoes are back on Thursday.");
    await chat.elsewhere.waitFor({ state: "detached" });
  }

  // A name, an ending, a rating, and a word that opens it again.
  await laptop.chat.menu("Rename");
  await laptop.chat.view.getByRole("textbox", { name: "Name" }).fill("Stories and shoes");
  await laptop.page.keyboard.press("Enter");
  for (const { chat } of all) await chat.topic.getByText("Stories and shoes").waitFor();
  await phone.chat.menu("End conversation");
  for (const { chat } of all) await chat.ended.waitFor();
  await desk.chat.view.getByRole("button", { name: "4 of 5" }).click();
  for (const { chat } of all) await chat.ended.locator("[data-rating='4']").waitFor();
  await desk.chat.view.getByLabel("What should we know?").fill("Quick and friendly.");
  await desk.chat.view.getByRole("button", { name: "Send comment" }).click();
  for (const { chat } of all) await chat.ended.getByText("Quick and friendly.").waitFor();
  await laptop.chat.say("What about coats?");
  for (const { chat } of all) {
    await chat.ended.waitFor({ state: "detached" });
    await chat.shows("Coats are in the crème brûlée colour.");
  }

  const transcript = await desk.chat.transcript();
  assert.equal(transcript.length, 6);
  for (const { chat } of [laptop, phone]) assert.deepEqual(await chat.transcript(), transcript);
  nothingWentWrong(...all);
});

test("several conversations at once: what goes on beside the one on screen is kept, listed and counted", async (t) => {
  const { site, desk, laptop } = await threeDevices(t);
  await desk.chat.ask("Where are the shoes?");
  await laptop.chat.shows("The blue shoes are back on Thursday.");

  await desk.chat.menu("New conversation");
  await desk.chat.say("Tell me a story");
  await desk.chat.streaming.getByText("Once upon").waitFor();
  await desk.chat.menu("Your conversations");
  await until("both are listed", async () => (await desk.chat.rows.count()) === 2);
  await desk.chat.rows.getByText("Where are the shoes?").click();
  assert.deepEqual(await desk.chat.transcript(), ["visitor: Where are the shoes?", "agent: The blue shoes are back on Thursday."]);
  assert.equal(await desk.chat.streaming.count(), 0);

  site.model.open();
  await desk.chat.hasBadge("1");
  await laptop.chat.hasBadge("1");
  assert.equal((await laptop.chat.transcript()).length, 2, "and nothing takes the place of what is on screen");
  await desk.chat.menu("Your conversations");
  assert.deepEqual(await desk.chat.listed(), ["Tell me a story +1", "Where are the shoes?"]);
  await desk.shot("list-with-unread");
  await desk.chat.rows.getByText("Tell me a story").first().click();
  await desk.chat.shows("Once upon a time.");
  for (const { chat } of [desk, laptop]) await chat.hasBadge("");
  nothingWentWrong(desk, laptop);
});

test("a lid that was closed and is opened: nothing is missing, nothing doubled", async (t) => {
  const { site } = await shopWithChat(t);
  const lid = await Lid.of(t);
  const profile = await newLaptop(t, lid);
  const [desk, laptop] = [await sarahOn(await newProfile(t), site), await sarahOn(profile, site)];
  await laptop.chat.ask("Where are the shoes?");
  await desk.chat.answer(1);
  await laptop.chat.say("Tell me a story");
  await laptop.chat.streaming.getByText("Once upon").waitFor();

  lid.close();
  await profile.context.setOffline(true);
  await laptop.chat.view.getByText("You are offline").waitFor();
  site.model.open();
  assert.equal(await desk.chat.answer(2), "Once upon a time.");
  await desk.chat.ask("And the shoes again?");
  await desk.chat.menu("Rename");
  await desk.chat.view.getByRole("textbox", { name: "Name" }).fill("While you were away");
  await desk.page.keyboard.press("Enter");
  await desk.chat.topic.getByText("While you were away").waitFor();
  await desk.chat.menu("End conversation");
  await desk.chat.ended.waitFor();
  await desk.chat.menu("New conversation");
  await desk.chat.ask("What about coats?");
  assert.equal((await laptop.chat.transcript()).length, 3, "the laptop knows nothing of it");

  lid.open();
  await profile.context.setOffline(false);
  await laptop.chat.ended.waitFor();
  await laptop.chat.topic.getByText("While you were away").waitFor();
  await until("the laptop has everything", async () => (await laptop.chat.transcript()).length >= 6);
  await desk.chat.menu("Your conversations");
  await desk.chat.rows.getByText("While you were away").click();
  await until("the desk has everything", async () => (await desk.chat.transcript()).length >= 6);
  assert.deepEqual(await laptop.chat.transcript(), await desk.chat.transcript());
  assert.equal((await laptop.chat.transcript()).length, 6);
  assert.equal(await laptop.chat.statuses.count(), 1);
  await laptop.chat.isQuiet();
  await laptop.chat.hasBadge("");
  await laptop.chat.menu("Your conversations");
  await until("both are listed", async () => (await laptop.chat.rows.count()) === 2);
  assert.deepEqual(await laptop.chat.listed(), ["What about coats?", "While you were away"]);
});

test("an answer is stopped, and nothing more comes of it", async (t) => {
  const { site, desk, phone } = await threeDevices(t);
  await phone.chat.say("Tell me a story");
  for (const { chat } of [desk, phone]) await chat.streaming.getByText("Once upon").waitFor();

  await phone.chat.view.getByRole("button", { name: "Stop answering" }).click();
  for (const { chat } of [desk, phone]) {
    await chat.view.locator("[data-status=stopped]").waitFor();
    await chat.isQuiet();
  }
  site.model.open();
  await desk.chat.ask("Where are the shoes?");

  const said = ["visitor: Tell me a story", "visitor: Where are the shoes?", "agent: The blue shoes are back on Thursday."];
  assert.deepEqual(await desk.chat.transcript(), said);
  await phone.chat.answer(1);
  assert.deepEqual(await phone.chat.transcript(), said);
  await phone.shot("stopped-on-a-phone");
  nothingWentWrong(desk, phone);
});

test("a search finds what was said and shows where, and nothing that was not", async (t) => {
  const { site } = await shopWithChat(t);
  const tab = await sarahOn(await newProfile(t), site);
  const { chat } = tab;
  for (let number = 1; number <= 8; number++) await chat.ask(`What about coats, number ${number}?`);
  await chat.menu("New conversation");
  await chat.ask("Where are the <b>shoes</b>?");
  await chat.menu("Your conversations");

  await chat.search.fill("BRULEE");
  await chat.view.locator(".list mark").first().waitFor();
  assert.deepEqual(await chat.view.locator(".list .said mark").allInnerTexts(), ["brûlée"]);
  assert.deepEqual(await chat.listed(), ["What about coats, number 1?"]);
  await tab.shot("search");
  await chat.rows.first().click();
  const found = chat.view.locator(".sought");
  await found.waitFor();
  assert.match(await found.innerText(), /crème brûlée/);
  assert.equal(await found.evaluate((message) => message.getBoundingClientRect().top >= 0 && message.getBoundingClientRect().bottom <= innerHeight), true);

  await chat.menu("Your conversations");
  await chat.search.fill("<b>sho");
  await until("the hit is marked", async () => (await chat.view.locator(".list mark").allInnerTexts()).includes("<b>sho"));
  await chat.search.fill("zebra");
  await chat.view.getByText("Nothing found for “zebra”.").waitFor();
  await chat.search.press("Escape");
  await until("the whole list is back", async () => (await chat.rows.count()) === 2);
  nothingWentWrong(tab);
});

test("a transcript is a file with everything that was said", async (t) => {
  const { site } = await shopWithChat(t);
  const tab = await sarahOn(await newProfile(t), site);
  const { chat, page } = tab;
  await chat.ask("Where are the shoes?");
  await chat.ask("What about coats?");

  const downloaded = async (item) => {
    const [download] = await Promise.all([page.waitForEvent("download"), chat.menu("Download transcript", item)]);
    return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
  };
  const text = await downloaded("As text");
  const json = await downloaded("As JSON");

  const said = ["Where are the shoes?", "The blue shoes are back on Thursday.", "What about coats?", "Coats are in the crème brûlée colour."];
  assert.match(text.name, /^conversation-\d{4}-\d\d-\d\d\.txt$/);
  assert.match(json.name, /^conversation-\d{4}-\d\d-\d\d\.json$/);
  let at = 0;
  for (const words of said) {
    at = text.text.indexOf(words, at);
    assert.ok(at >= 0, `“${words}” is in the text, in its place`);
  }
  const { entries } = JSON.parse(json.text);
  assert.deepEqual(entries.filter(({ kind }) => kind === "message").map((entry) => entry.text), said);
  nothingWentWrong(tab);
});

test("T10: who acts as a customer leaves no marks, and cannot have them forgotten", async (t) => {
  const { site } = await shopWithChat(t);
  const hers = await sarahOn(await newProfile(t), site);
  await hers.chat.close();
  site.chatToken = () => tokenFor(site.key, SARAH, { act: { sub: "alex@shop.example" } });
  const staff = await sarahOn(await newProfile(t), site);

  await staff.chat.ask("Where are the shoes?");
  await staff.chat.composer.pressSequentially("typing");
  await hers.chat.hasBadge("1");
  await staff.chat.view.getByRole("button", { name: "Menu" }).click();

  assert.equal(await staff.chat.view.locator(".sheet").getByText("Forget me").count(), 0);
  assert.equal(await staff.chat.badge(), "");
  await hers.chat.open();
  await hers.chat.hasBadge("");
  assert.equal(await hers.chat.elsewhere.count(), 0);
});
