/** What every story is told with: a fake server, and tabs of browsers that talk to it. */
import { afterEach, beforeEach, vi } from "vitest";
import { FakeServer, type Seen } from "./fake.ts";
import { Tab, type Browser } from "./visitor.ts";

export const SARAH = "token:sarah:Sarah Miller";
export const TOM = "token:tom:Tom";

/** The server of the story that is being told. */
export let server: FakeServer;
let base: string;
let tabs: Tab[];

export const tab = (browser?: Browser, channel?: string): Tab => {
  const made = new Tab(base, browser, channel, server.proofs.nonce);
  tabs.push(made);
  return made;
};

/** What the server was asked, of one kind. */
export const requests = (method: string, path: RegExp): Seen[] => server.seen.filter((s) => s.method === method && path.test(s.path));

/** Each test of the file gets a server of its own, and a clock that runs fast. */
export function tellStories(): void {
  beforeEach(async () => {
    // Waiting between tries is part of the story, its length is not.
    const { setTimeout: later } = globalThis;
    vi.stubGlobal("setTimeout", (run: () => void, ms = 0, ...rest: []) => later(run, ms / 50, ...rest));
    server = new FakeServer();
    base = await server.listen();
    tabs = [];
  });

  afterEach(async () => {
    vi.unstubAllGlobals();
    for (const made of tabs) made.close();
    await server.close();
  });
}
