/** A real browser, and an eye on everything a page does. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";
import { chromium } from "playwright-core";
import { Chat } from "./chat.mjs";
import { afterwards } from "./cleanup.mjs";
import { until } from "./until.mjs";

/** @typedef {import("node:test").TestContext} Test */

const SHOTS = join(import.meta.dirname, "../shots");

/** As in a browser that people use: of what the driver turns off, storage that is kept apart by site is left on. */
const PARTITIONED = "--disable-features=MediaRouter,OptimizationHints,PaintHolding,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How the browser treats the storage of a frame of another site. @typedef {"partitioned" | "blocked"} Storage */

/** Left on, as in a browser that people use: the driver cannot follow a page into that cache and back. */
const CACHED = "--disable-back-forward-cache";

/** @type {Map<Storage, Promise<import("playwright-core").Browser>>} */
const browsers = new Map();

/** @param {Storage} storage */
export function launched(storage) {
  const known = browsers.get(storage);
  if (known) return known;
  const browser = chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Without partitions, the driver's profiles refuse all storage to frames of other sites.
    args: storage === "partitioned" ? [...FLAGS, PARTITIONED] : FLAGS,
    ignoreDefaultArgs: [CACHED],
  });
  browsers.set(storage, browser);
  return browser;
}

after(async () => {
  for (const browser of browsers.values()) await (await browser).close();
});

const EVENTS = [
  "ready",
  "identified",
  "identify_failed",
  "session_expired",
  "logout",
  "open",
  "close",
  "unread",
  "message_sent",
  "message_received",
  "conversation_started",
  "action_started",
  "action_finished",
  "error",
];

/** As in a page that is not secure, where a browser does no cryptography. */
export function withoutCryptography() {
  Object.defineProperty(Crypto.prototype, "subtle", { value: undefined });
}

/** As in a browser whose tabs cannot hear each other. */
export function withoutBroadcasts() {
  Object.defineProperty(window, "BroadcastChannel", { value: undefined });
}

/** Runs in every page and frame before anything else. */
function watch(names) {
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
    window["e2eTold"]("violation", { at: location.href, violatedDirective, blockedURI, sourceFile, lineNumber });
  });
  if (window !== window.top) return;
  // As the embed snippet does: what is called before the loader is there waits for it.
  window["maitred"] ??= function () {
    (window["maitred"].q ??= []).push(arguments);
  };
  for (const name of names) window["maitred"]("on", name, (detail) => window["e2eTold"](name, detail));
}

/**
 * One browser profile: cookies and storage of its own.
 *
 * @param {Test} t
 * @param {Storage} [storage]
 */
export async function newProfile(t, storage = "partitioned") {
  return newProfileWith(t, storage, { viewport: { width: 1280, height: 900 } });
}

/** A profile whose network can be cut. @param {Test} t @param {import("./lid.mjs").Lid} lid */
export async function newLaptop(t, lid) {
  return newProfileWith(t, "partitioned", { viewport: { width: 1280, height: 900 }, proxy: { server: lid.url } });
}

/** A profile on a phone. @param {Test} t */
export async function newPhone(t) {
  return newProfileWith(t, "partitioned", { viewport: { width: 390, height: 760 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
}

/** @param {Test} t @param {Storage} storage @param {import("playwright-core").BrowserContextOptions} options */
async function newProfileWith(t, storage, options) {
  const context = await (await launched(storage)).newContext(options);
  afterwards(t, () => context.close());
  context.setDefaultTimeout(20_000);
  return new Profile(context);
}

export class Profile {
  /** The session strings that went over the network, oldest first. @type {string[]} */
  sessions = [];
  /** Answers of the visitor API: what was asked, and the status. @type {{ request: string, status: number }[]} */
  answers = [];
  /** @type {Map<import("playwright-core").Page, Tab>} */
  #tabs = new Map();
  #prepared;

  /** @param {import("playwright-core").BrowserContext} context */
  constructor(context) {
    this.context = context;
    context.on("request", (request) => {
      const session = request.headers()["authorization"]?.replace(/^Bearer /, "");
      if (session?.startsWith("mtd_session_") && !this.sessions.includes(session)) this.sessions.push(session);
    });
    context.on("response", (response) => {
      const { pathname } = new URL(response.url());
      if (!pathname.startsWith("/v1/")) return;
      this.answers.push({ request: `${response.request().method()} ${pathname}`, status: response.status() });
    });
    this.#prepared = (async () => {
      await context.exposeBinding("e2eTold", ({ page }, name, detail) => this.#tabs.get(page)?.told(name, detail));
      await context.addInitScript(watch, EVENTS);
    })();
  }

  async newTab() {
    await this.#prepared;
    const tab = new Tab(await this.context.newPage());
    this.#tabs.set(tab.page, tab);
    return tab;
  }

  /** @param {string} url */
  async open(url) {
    const tab = await this.newTab();
    await tab.page.goto(url);
    return tab;
  }
}

/** One tab, and what was seen in it. */
export class Tab {
  /** @type {{ type: string, text: string }[]} */
  console = [];
  /** @type {{ name: string, detail: any }[]} */
  events = [];
  /** @type {object[]} */
  violations = [];
  /** @type {string[]} */
  errors = [];

  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
    this.chat = new Chat(page);
    page.on("console", (message) => this.console.push({ type: message.type(), text: message.text() }));
    page.on("pageerror", (error) => this.errors.push(String(error)));
  }

  /** @param {string} name @param {any} detail */
  told(name, detail) {
    if (name === "violation") this.violations.push(detail);
    else this.events.push({ name, detail });
  }

  /** The details of the events of that name, oldest first. @param {string} name */
  eventsNamed(name) {
    return this.events.filter((event) => event.name === name).map((event) => event.detail);
  }

  /** Waits for the event, if it has not been. @param {string} name */
  async event(name) {
    return until(`the event \`${name}\``, () => this.eventsNamed(name).at(-1));
  }

  /** What the widget wrote into the console. */
  get complaints() {
    return this.console.filter(({ type, text }) => type === "error" && text.startsWith("[maitred]")).map(({ text }) => text);
  }

  /** Calls the page's `maitred`. @param {string} command @param {...unknown} args */
  async maitred(command, ...args) {
    return this.page.evaluate(([command, args]) => window["maitred"](command, ...args), /** @type {const} */ ([command, args]));
  }

  /** Keeps a picture for people to look at. On a phone only at the end: afterwards the driver misses what it clicks. @param {string} name */
  async shot(name) {
    await mkdir(SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`) });
  }
}
