/** S4: where the proof key is kept, and what happens where nothing can be kept. */
import { IDBFactory } from "fake-indexeddb";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Keyring } from "./keyring.ts";

const AGENT = "maitred:agt_1:production";
const same = async (one: Keyring, other: Keyring) => {
  const [a, b] = await Promise.all([one.key(), other.key()]);
  return a !== null && b !== null && a.isSameAs(b);
};

/** A browser's databases; each call is one page load. */
function browser() {
  const databases = new IDBFactory();
  return (name = AGENT) => new Keyring(name, () => databases);
}

afterEach(() => void vi.unstubAllGlobals());

describe("the key of a browser, S4", () => {
  it("outlives the page", async () => {
    const load = browser();
    const before = load();
    await before.key();

    expect(await same(before, load())).toBe(true);
  });

  it("is one, however many tabs begin together", async () => {
    const load = browser();
    const keys = await Promise.all(Array.from({ length: 8 }, () => load().key()));

    expect(new Set(keys.map((key) => key?.jwk.x)).size).toBe(1);
  });

  it("is another one for another agent or environment", async () => {
    const load = browser();

    expect(await same(load(), load("maitred:agt_1:staging"))).toBe(false);
    expect(await same(load(), load("maitred:agt_2:production"))).toBe(false);
  });

  it("is forgotten with the visitor", async () => {
    const load = browser();
    const keyring = load();
    const before = await keyring.key();

    keyring.forget();

    const after = await keyring.key();
    expect(after?.jwk).not.toEqual(before?.jwk);
    expect(await same(keyring, load())).toBe(true);
  });

  it("is not forgotten by a tab that had the one before it", async () => {
    const load = browser();
    const [here, there] = [load(), load()];
    await Promise.all([here.key(), there.key()]);
    here.forget();
    const next = await here.key();

    there.forget();

    expect((await there.key())?.jwk).toEqual(next?.jwk);
  });
});

describe("a browser that keeps nothing, S4", () => {
  const blocked = () => {
    throw new DOMException("storage is blocked", "SecurityError");
  };
  const refusing = (): IDBFactory => {
    const databases = new IDBFactory();
    const { open } = databases;
    databases.open = (...args) => {
      const request = open.apply(databases, args);
      request.addEventListener("success", () => {
        request.result.transaction = () => {
          throw new DOMException("cannot be cloned", "DataCloneError");
        };
      });
      return request;
    };
    return databases;
  };
  const silent = (): IDBFactory => Object.assign(new IDBFactory(), { open: () => ({}) });

  it.each([["blocked", blocked], ["without room for keys", refusing], ["without an answer", silent]])("has one in memory: %s", async (_, databases) => {
    const keyring = new Keyring(AGENT, databases);

    const key = await keyring.key();

    expect(key).not.toBeNull();
    expect(await keyring.key(), "for as long as the page is there").toBe(key);
    expect(await same(keyring, new Keyring(AGENT, databases))).toBe(false);
  });

  it("makes a new key when it has lost half of the old one", async () => {
    const databases = new IDBFactory();
    await new Keyring(AGENT, () => databases).key();
    const opening = databases.open("maitred");
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const store = opening.result.transaction("keys", "readwrite").objectStore("keys");
    await new Promise((resolve) => (store.put({ pair: null, jwk: {} }, AGENT).onsuccess = resolve));
    opening.result.close();

    const keyring = new Keyring(AGENT, () => databases);

    expect((await keyring.key())?.jwk.x).toHaveLength(43);
    expect(await same(keyring, new Keyring(AGENT, () => databases))).toBe(true);
  });

  it("has none outside a secure context", async () => {
    vi.stubGlobal("crypto", { getRandomValues: () => undefined });

    expect(await browser()().key()).toBeNull();
  });
});
