/** The widget, as a visitor uses it. */
import assert from "node:assert/strict";
import { until } from "./until.mjs";

export const GREETING = "Hi, how can I help you today?";
export const greetingFor = (name) => `Hi ${name}, how can I help you today?`;

export class Chat {
  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
    this.host = page.locator("#maitred-widget");
    this.launcher = this.host.locator("button");
    this.view = this.host.locator("iframe").contentFrame();
    this.greeting = this.view.locator("[data-greeting]");
    this.composer = this.view.getByRole("textbox", { name: "Message" });
    this.shield = this.view.locator("[data-verified]");
    this.gate = this.view.locator(".gate[role=alert]");
    this.calls = this.view.locator("[data-entry=call]");
    this.statuses = this.view.locator("[data-entry=status]");
    this.streaming = this.view.locator("[data-streaming]");
    this.elsewhere = this.view.locator("[data-elsewhere]");
    this.topic = this.view.locator("[data-topic]");
    this.ended = this.view.locator("[data-ended]");
    this.rows = this.view.locator(".list li");
    this.search = this.view.getByRole("searchbox");
  }

  /** Messages that are stored. @param {"visitor" | "agent"} by */
  messages(by) {
    return this.view.locator(`[data-entry=message][data-by=${by}]`);
  }

  async open() {
    await this.page.getByRole("button", { name: /^Open chat/ }).click();
    await this.view.locator(".chat").waitFor();
  }

  async close() {
    await this.view.getByRole("button", { name: "Close chat" }).click();
    await this.launcher.and(this.page.locator("[aria-expanded=false]")).waitFor();
  }

  /** Picks something from the menu. @param {...string} items one after the other */
  async menu(...items) {
    await this.view.getByRole("button", { name: "Menu" }).click();
    for (const name of items) await this.view.locator(".sheet").getByRole("button", { name }).click();
  }

  /** What the launcher says is unread: a number, or nothing. */
  async badge() {
    return this.launcher.locator("b").innerText();
  }

  /** @param {string} badge the whole of it; empty is none */
  async hasBadge(badge) {
    await until(`the badge “${badge}”`, async () => (await this.badge()) === badge);
  }

  /** The list as it reads, each conversation's title with what is unread behind it. */
  async listed() {
    return this.rows.evaluateAll((rows) =>
      rows.map((row) => [row.querySelector("b").innerText, row.querySelector(".count")?.firstChild.nodeValue].filter(Boolean).join(" +")),
    );
  }

  /** @param {string} greeting the whole of it */
  async greets(greeting) {
    await until(`the greeting “${greeting}”`, async () => (await this.greeting.count()) === 1 && (await this.greeting.innerText()) === greeting);
  }

  /** Writes a message and sends it. @param {string} text */
  async say(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  /** Writes a message and gives the whole answer, as it reads. @param {string} text */
  async ask(text) {
    const before = await this.messages("agent").count();
    await this.say(text);
    return this.answer(before + 1);
  }

  /** The agent's message of that number, once its turn has ended. @param {number} number */
  async answer(number) {
    const answer = this.messages("agent").nth(number - 1);
    await answer.waitFor();
    await this.isQuiet();
    return answer.locator(".bubble").innerText();
  }

  /** Nobody is writing. */
  async isQuiet() {
    await until("the agent is silent", async () => (await this.view.locator("[data-typing], [data-streaming]").count()) === 0);
  }

  /** Every stored message, oldest first: who and what. */
  async transcript() {
    return this.view.locator("[data-entry=message]").evaluateAll((messages) =>
      messages.map((message) => `${message.dataset.by}: ${message.querySelector(".bubble").innerText}`),
    );
  }

  /** The text of a message, wherever it stands, seen at last. @param {string} text */
  async shows(text) {
    await this.view.locator("[data-entry=message]", { hasText: text }).first().waitFor();
  }

  #frame() {
    const frame = this.page.frames().find((each) => each !== this.page.mainFrame() && each.url().includes("/frame/"));
    assert.ok(frame, "the chat's frame is there");
    return frame;
  }

  /** What the frame's origin has stored in this browser. */
  async storage() {
    return this.#frame().evaluate(async () => ({
      local: { ...localStorage },
      session: { ...sessionStorage },
      databases: ((await indexedDB.databases?.()) ?? []).map(({ name }) => name ?? ""),
      caches: "caches" in window ? await caches.keys() : [],
      cookie: document.cookie,
    }));
  }

  /** Puts something into the storage of the frame's origin. @param {string} name @param {string} value */
  async store(name, value) {
    await this.#frame().evaluate(([name, value]) => localStorage.setItem(name, value), /** @type {const} */ ([name, value]));
  }

  /** What the frame's origin keeps in its database, as far as a script can read it. */
  async keptKeys() {
    return this.#frame().evaluate(async () => {
      const done = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: reject }));
      const database = await done(indexedDB.open("maitred"));
      const stores = [...database.objectStoreNames];
      const kept = await Promise.all(stores.map((name) => done(database.transaction(name).objectStore(name).getAll())));
      database.close();
      return kept.flat().map((each) => ({
        names: Object.keys(each).sort(),
        x: each.jwk.x,
        extractable: each.pair.privateKey.extractable,
        algorithm: each.pair.privateKey.algorithm.namedCurve,
        usages: each.pair.privateKey.usages,
      }));
    });
  }

  /** All that there is of the page, its shadow root, the frame and its storage, as one text. */
  async everything() {
    // Of the shop's page what can be read: its login form, unseen, lists the sample accounts to everybody.
    const page = await this.page.evaluate(() => {
      const { shadowRoot } = document.querySelector("#maitred-widget") ?? {};
      return [document.title, document.body.innerText, shadowRoot?.innerHTML].join("\n")
        + JSON.stringify([{ ...localStorage }, { ...sessionStorage }]);
    });
    const frame = await this.#frame().evaluate(() => {
      const fields = [...document.querySelectorAll("input, textarea")].map((field) => field["value"]);
      return [document.documentElement.outerHTML, ...fields].join("\n");
    });
    return [page, frame, JSON.stringify(await this.storage())].join("\n");
  }

  /** @param {string[]} secrets */
  async showsNothingOf(secrets) {
    const everything = await this.everything();
    assert.deepEqual(secrets.filter((secret) => everything.includes(secret)), []);
  }
}
