import { describe, expect, it } from "vitest";
import { Keep } from "./storage.ts";

class Shelf implements Storage {
  readonly things = new Map<string, string>();
  [name: string]: unknown;
  get length() {
    return this.things.size;
  }
  key = () => null;
  getItem = (key: string) => this.things.get(key) ?? null;
  setItem = (key: string, value: string) => void this.things.set(key, value);
  removeItem = (key: string) => void this.things.delete(key);
  clear = () => this.things.clear();
}

const blocked = (): Storage => {
  throw new DOMException("denied", "SecurityError");
};

const full = (): Storage => {
  const shelf = new Shelf();
  shelf.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  return shelf;
};

describe("what is kept", () => {
  it("is there for the next page load, under a name of its own", () => {
    const shelf = new Shelf();
    new Keep("maitred:agt_1:production", () => shelf).write("visitor", "secret");

    expect(new Keep("maitred:agt_1:production", () => shelf).read("visitor")).toBe("secret");
    expect(new Keep("maitred:agt_1:staging", () => shelf).read("visitor")).toBeNull();
  });

  it.each([["blocked", blocked], ["full", full]])("is in memory when storage is %s", (_, open) => {
    const keep = new Keep("p", open);
    keep.write("draft", "half a thought");
    expect(keep.read("draft")).toBe("half a thought");

    keep.clear();
    expect(keep.read("draft")).toBeNull();
  });

  it("is gone from storage and memory once cleared", () => {
    const shelf = new Shelf();
    const keep = new Keep("p", () => shelf);
    keep.write("visitor", "secret");
    keep.write("draft", "text");

    keep.clear();

    expect([shelf.length, keep.read("visitor"), keep.read("draft")]).toEqual([0, null, null]);
  });
});
