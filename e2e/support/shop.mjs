/** The demo shop, as its customers use it. */

/**
 * @typedef {object} User
 * @property {string} id
 * @property {string} email
 * @property {string} password
 * @property {string} [name]
 * @property {string} [given_name]
 */

/** @type {User} Has A-10001 (shipped) and A-09874. */
export const SARAH = {
  id: "cus_7301",
  email: "sarah.miller@example.com",
  password: "sarah-demo",
  name: "Sarah Miller",
  given_name: "Sarah",
};

/** @type {User} Has A-10003 (processing) and A-09921. */
export const TOM = {
  id: "cus_7302",
  email: "tom.okafor@example.com",
  password: "tom-demo",
  name: "Tom Okafor",
  given_name: "Tom",
};

/** @type {User} Has A-09990, and no name. */
export const KIM = { id: "cus_7303", email: "k.lindqvist@example.com", password: "kim-demo" };

/** What only that customer may see. */
export const SECRETS_OF = {
  sarah: ["Sarah", "Miller", "A-10001", "A-09874", "FP447100932IE"],
  tom: ["Okafor", "A-10003", "A-09921"],
};

/** @typedef {import("playwright-core").Page} Page */

/**
 * Logs in by the dialog, without leaving the page.
 *
 * @param {Page} page
 * @param {User} user
 */
export async function logIn(page, user) {
  await page.locator("[data-login]").click();
  const form = page.locator("dialog [data-login-form]");
  await fill(form, user);
  await shows(page, user);
}

/**
 * Logs in on the page made for that, with a full load of the next one.
 *
 * @param {Page} page
 * @param {string} shop
 * @param {User} user
 */
export async function logInByForm(page, shop, user) {
  await page.goto(`${shop}/login`);
  await fill(page.locator("main form.login"), user);
  await shows(page, user);
}

/** @param {Page} page */
export async function logOut(page) {
  await page.locator("[data-logout] button").click();
  await page.locator("#account [data-login]").waitFor();
}

async function fill(form, { email, password }) {
  await form.locator("input[name=email]").fill(email);
  await form.locator("input[name=password]").fill(password);
  await form.locator("button").click();
}

async function shows(page, user) {
  await page.locator("#account b", { hasText: user.given_name ?? user.email }).waitFor();
}
