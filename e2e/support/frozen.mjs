/**
 * A tab whose page goes into the back/forward cache and comes out again. The
 * driver loses sight of the frames of such a page, so the browser is asked itself.
 */
import assert from "node:assert/strict";
import { afterwards } from "./cleanup.mjs";
import { until } from "./until.mjs";

export class FrozenTab {
  #browser;
  #page;

  /** @param {import("playwright-core").Page} page @param {import("playwright-core").CDPSession} browser */
  constructor(page, browser) {
    this.#page = page;
    this.#browser = browser;
  }

  /** @param {import("node:test").TestContext} t @param {import("playwright-core").Page} page */
  static async of(t, page) {
    const session = await page.context().browser()?.newBrowserCDPSession();
    assert.ok(session);
    afterwards(t, () => session.detach());
    const tab = new FrozenTab(page, session);
    await tab.#inFrame("window.marked = 'the same frame'");
    return tab;
  }

  /** Goes back, and makes sure that the page was kept and not loaded anew. */
  async goBack() {
    await this.#page.evaluate(() => history.back());
    const mark = await until("the frame is back", async () => (await this.#inFrame("window.marked ?? 'another frame'")) || null);
    assert.equal(mark, "the same frame");
  }

  /** What a visitor sees of the chat: nothing, where the frame is hidden. */
  async shown() {
    return this.#inFrame("document.documentElement.hidden ? '' : document.body.innerText");
  }

  /** What a visitor sees, once there is something. */
  async showsAgain() {
    return until("the chat is there again", async () => (await this.shown()) || null);
  }

  /** All that the frame holds, seen or not. */
  async everything() {
    return this.#inFrame("document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((f) => f.value)");
  }

  /** @param {string} expression @returns {Promise<string>} */
  async #inFrame(expression) {
    const { targetInfos } = await this.#browser.send("Target.getTargets");
    const frame = targetInfos.find(({ url }) => url.includes("/frame/"));
    if (!frame) return "";
    const { sessionId } = await this.#browser.send("Target.attachToTarget", { targetId: frame.targetId, flatten: false });
    /** @type {Promise<string>} */
    const answered = new Promise((resolve) => {
      const hear = (event) => {
        if (event.sessionId !== sessionId) return;
        this.#browser.off("Target.receivedMessageFromTarget", hear);
        resolve(event.message);
      };
      this.#browser.on("Target.receivedMessageFromTarget", hear);
    });
    const params = { expression, returnByValue: true };
    await this.#browser.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id: 1, method: "Runtime.evaluate", params }) });
    const { result } = JSON.parse(await answered);
    await this.#browser.send("Target.detachFromTarget", { sessionId });
    return result.result.value;
  }
}
