import { setTimeout as pause } from "node:timers/promises";

const PATIENCE = 20_000;
const INTERVAL = 40;

/**
 * Looks at a condition until it holds, and gives what it gave.
 *
 * @template T
 * @param {string} what for the message when it never does
 * @param {() => T | Promise<T>} look anything but `false`, `null` and `undefined` is good
 * @param {number} [within] in milliseconds
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, look, within = PATIENCE) {
  const end = performance.now() + within;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined) return seen;
    if (performance.now() > end) throw new Error(`waited ${within} ms in vain: ${what}`);
    await pause(INTERVAL);
  }
}

/**
 * A promise that is decided from outside.
 *
 * @template [T=void]
 */
export class Deferred {
  /** @type {(value: T) => void} */
  resolve = () => undefined;
  /** @type {Promise<T>} */
  promise = new Promise((resolve) => {
    this.resolve = resolve;
  });
}
