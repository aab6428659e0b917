import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @typedef {import("node:test").TestContext} Test */

/** @type {WeakMap<Test, (() => unknown)[]>} */
const duties = new WeakMap();

/**
 * Does something when the test is over, last duty first. What one throws fails
 * the test, after the others were done.
 *
 * @param {Test} t
 * @param {() => unknown} duty
 */
export function afterwards(t, duty) {
  const known = duties.get(t);
  if (known) {
    known.push(duty);
    return;
  }
  const list = [duty];
  duties.set(t, list);
  t.after(async () => {
    const errors = [];
    for (const each of list.reverse()) {
      try {
        await each();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors);
  });
}

/**
 * A directory that is there for one test.
 *
 * @param {Test} t
 */
export async function temporaryDirectory(t) {
  const path = await mkdtemp(join(tmpdir(), "maitred-e2e-"));
  afterwards(t, () => rm(path, { recursive: true, force: true }));
  return path;
}
