import assert from "node:assert/strict";
import { test } from "node:test";
import { newPhone, newProfile } from "../support/browser.mjs";
import { GREETING, greetingFor } from "../support/chat.mjs";
import { runForJson } from "../support/maitred.mjs";
import { Site, startFor } from "../support/site.mjs";
import { until } from "../support/until.mjs";

const SCRIPT = [
  { when: "shoes", deltas: [{ text: "The blue shoes are back on Thursday." }] },
  { when: "coats", deltas: [{ text: "Coats come in every colour." }] },
];

async function shopWithChat(t) {
  const site = await Site.start(t);
  return { site, ...(await startFor(t, site, SCRIPT)) };
}

/** Sarah's chat in a browser of its own, the window open. */
async function sarahOn(profile, site) {
  const tab = await profile.open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(greetingFor("Sarah"));
  return tab;
}

test("D7: who wants to be forgotten is, here and on every other device", async (t) => {
  const { site, data } = await shopWithChat(t);
  // Otherwise the site's tokens would be refused for a minute.
  await runForJson(["agent", "set", "--agent", site.agent, "--leeway", "0", "--data", data]);
  const [desk, phone] = [await sarahOn(await newProfile(t), site), await sarahOn(await newPhone(t), site)];
  await desk.chat.ask("Where are the shoes?");
  await desk.chat.menu("New conversation");
  await desk.chat.ask("What about coats?");
  await phone.chat.shows("The blue shoes are back on Thursday.");

  await desk.chat.menu("Forget me");
  const dialog = desk.chat.view.getByRole("alertdialog");
  await dialog.getByText("2 conversations, with everything that was said").waitFor();
  await desk.shot("forget");
  await desk.page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await desk.chat.menu("Forget me");
  await dialog.getByRole("button", { name: "Erase 2 conversations" }).click();

  await desk.chat.view.getByText("You are forgotten").waitFor();
  await desk.shot("forgotten");
  await desk.chat.showsNothingOf(["Sarah", "shoes", "coats"]);
  await phone.chat.gate.getByText("You are signed out of this chat").waitFor();
  await phone.chat.showsNothingOf(["Sarah", "shoes", "coats"]);
  assert.equal(phone.eventsNamed("session_expired").length, 1);
  assert.deepEqual(desk.eventsNamed("logout").length, 1);

  // The site still knows who is there: who wants to begins anew, with nothing.
  for (const { chat } of [desk, phone]) {
    await until("a new chat", async () => {
      await chat.view.getByRole("button", { name: /Start a new chat|Try again/ }).click({ timeout: 500 }).catch(() => undefined);
      return (await chat.greeting.count()) === 1;
    });
    await chat.greets(greetingFor("Sarah"));
    await chat.menu("Your conversations");
    await chat.view.getByText("No conversations yet.").waitFor();
    await chat.view.getByRole("button", { name: "Back to the conversation" }).click();
  }
  assert.equal(await desk.chat.ask("Where are the shoes?"), "The blue shoes are back on Thursday.");
  await phone.chat.shows("The blue shoes are back on Thursday.");
  for (const { errors, violations } of [desk, phone]) assert.deepEqual([errors, violations], [[], []]);
});

test("D7: who nobody named is forgotten, too, by the browser as well", async (t) => {
  const { site } = await shopWithChat(t);
  site.chatToken = () => null;
  const tab = await (await newProfile(t)).open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(GREETING);
  await tab.chat.ask("Where are the shoes?");
  const secret = Object.values((await tab.chat.storage()).local)[0];

  await tab.chat.menu("Forget me");
  await tab.chat.view.getByRole("button", { name: "Erase 1 conversation" }).click();

  await tab.chat.view.getByText("You are forgotten").waitFor();
  assert.deepEqual((await tab.chat.storage()).local, {});
  await tab.chat.view.getByRole("button", { name: "Start a new chat" }).click();
  await tab.chat.greets(GREETING);
  assert.notEqual(Object.values((await tab.chat.storage()).local)[0], secret);
  await tab.chat.menu("Your conversations");
  await tab.chat.view.getByText("No conversations yet.").waitFor();
});
