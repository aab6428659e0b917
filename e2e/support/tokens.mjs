/** Tokens as a site's backend signs them, and as it must not. */
import { createHmac } from "node:crypto";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export const now = () => Math.floor(Date.now() / 1000);

/**
 * @typedef {object} Key
 * @property {string} key its id
 * @property {string} secret
 */

/**
 * Signs a token, HS256.
 *
 * @param {Key} key
 * @param {object} claims
 */
export function signed({ key, secret }, claims) {
  const input = `${encoded({ alg: "HS256", typ: "JWT", kid: key })}.${encoded(claims)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

/**
 * A good token for a user of the shop.
 *
 * @param {Key} key
 * @param {import("./shop.mjs").User} user
 * @param {object} [changes] claims to add or to replace
 */
export function tokenFor(key, user, changes = {}) {
  const { id: sub, email, name, given_name } = user;
  return signed(key, { sub, email, name, given_name, iat: now(), exp: now() + 600, ...changes });
}
