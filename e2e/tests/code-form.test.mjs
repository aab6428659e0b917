import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile } from "../support/browser.mjs";
import { GREETING } from "../support/chat.mjs";
import { codeIn, startMailServer } from "../support/mail-server.mjs";
import { Site, startFor } from "../support/site.mjs";
import { until } from "../support/until.mjs";

const ADDRESS = "sarah.miller@example.com";
const SAYS_HELLO = [{ when: "hello", deltas: [{ text: "Please [confirm it](#confirm-email), and ask again." }] }];

/** Somebody who is not logged in has the form open. */
async function asked(t) {
  const site = await Site.start(t);
  site.chatToken = () => null;
  const mail = await startMailServer(t);
  await startFor(t, site, SAYS_HELLO, {
    MAITRED__MAIL__URL: `smtp://localhost:${mail.port}`,
    MAITRED__MAIL__FROM: "Support <support@shop.example>",
  });
  const tab = await (await newProfile(t)).open(site.origin);
  await tab.chat.open();
  await tab.chat.greets(GREETING);
  await tab.chat.ask("hello");
  await tab.chat.view.getByRole("button", { name: "confirm it" }).click();
  return { tab, mail, form: tab.chat.view.locator("[data-code]") };
}

test("A3: an address is proven with the keyboard alone, and the page hears of it", async (t) => {
  const { tab, mail, form } = await asked(t);
  const { keyboard } = tab.page;

  await form.getByLabel("Email address", { exact: true }).waitFor();
  await keyboard.type(ADDRESS);
  await keyboard.press("Enter");
  await form.getByText(`Look for the code in the mail of ${ADDRESS}`).waitFor();
  const letter = await mail.letter();
  await keyboard.type(codeIn(letter));
  await keyboard.press("Enter");

  await tab.chat.view.getByText("Confirmed: s…@example.com").waitFor();
  assert.deepEqual(letter.to, [ADDRESS]);
  assert.equal((await tab.maitred("state")).assurance, "code");
  assert.equal(await form.count(), 0);
  assert.ok(!JSON.stringify(await tab.chat.storage()).includes("sarah"), "and it is in nobody's storage");
  assert.deepEqual([tab.violations, tab.errors, tab.complaints], [[], [], []]);
  await tab.chat.say("thank you");
});

test("A3: three wrong codes, and a new one is to be sent", async (t) => {
  const { tab, mail, form } = await asked(t);
  await form.getByLabel("Email address", { exact: true }).fill(ADDRESS);
  await form.getByRole("button", { name: "Send code" }).click();
  const field = form.getByLabel("Code of six digits");
  const right = codeIn(await mail.letter());
  const wrong = right === "111111" ? "222222" : "111111";

  for (let number = 0; number < 3; number++) {
    await field.fill(wrong);
    const answers = tab.page.waitForResponse((answer) => answer.url().endsWith("/v1/code/verification"));
    await form.getByRole("button", { name: "Confirm", exact: true }).click();
    assert.equal((await answers).status(), 401);
  }
  await form.getByText("This code is no longer good. Send a new one.").waitFor();
  await field.fill(right);
  await form.getByRole("button", { name: "Confirm", exact: true }).click();
  await form.getByText("This code is no longer good. Send a new one.").waitFor();

  await form.getByRole("button", { name: "Send a new code" }).click();
  await field.fill(codeIn(await mail.letter()));
  await form.getByRole("button", { name: "Confirm", exact: true }).click();
  await tab.chat.view.locator("[data-proven]").waitFor();
});

test("A3: a fourth code within the hour is not sent, and the form says when one will be", async (t) => {
  const { tab, mail, form } = await asked(t);
  await form.getByLabel("Email address", { exact: true }).fill(ADDRESS);
  await form.getByRole("button", { name: "Send code" }).click();
  const again = form.getByRole("button", { name: "Send a new code" });
  for (let number = 1; number <= 2; number++) {
    await mail.letter();
    await again.click();
  }
  await mail.letter();

  await again.click();

  await form.getByText(/^No new code can be sent for now\. Try again in \d+ minutes\.$/).waitFor();
  await until("no further code can be asked for", () => again.isDisabled());
  assert.equal(mail.letters.length, 3);
  await tab.shot("code-limit");
});
