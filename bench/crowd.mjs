// What chats cost that are open while nobody says anything: memory for each, idle
// processor time, what a conversation beside them notices, and how soon the program
// ends with all of them open. Beside streams of the same framework that do nothing.
import { setTimeout as sleep } from "node:timers/promises";
import { Peer } from "./peer.mjs";
import { bars, keep, middle, short, table, withSpread } from "./report.mjs";
import { ORIGIN, install, startEcho, used } from "./servers.mjs";

const [streams = 19_000, seconds = 60, rounds = 5] = process.argv.slice(2).map(Number);
if (![streams, seconds, rounds].every((number) => Number.isInteger(number) && number >= 1)) {
  console.error("STREAMS, SECONDS of idling and ROUNDS of talking are whole numbers from 1");
  process.exit(2);
}
// A process may not have more open files than the system lets it: two share the streams.
const crowd = [new Peer("target/release/crowd"), new Peer("target/release/crowd")];
const talkers = new Peer("target/release/turns");
const TALKING = { turns: 500, at_once: 4 };

const limit = await idle(await startEcho(), {});
const { address, maitred, serve } = await install("crowd");
const { agent } = maitred("agent", "create", "Ada", "--origin", ORIGIN);
const server = { address, ...(await serve()) };
const alone = [await talk(), await talk()].slice(1);
while (alone.length < rounds) alone.push(await talk());
const ours = await idle(server, { agent });
const beside = [];
while (beside.length < rounds) beside.push(await talk());
const ends = await ended(server);

const p50 = { alone: middle(alone.map((it) => it.p50_ms)), beside: middle(beside.map((it) => it.p50_ms)) };
const p99 = { alone: middle(alone.map((it) => it.p99_ms)), beside: middle(beside.map((it) => it.p99_ms)) };
console.log(`${short(streams)} open chats, from loopback addresses of 500 each; idle for ${seconds} s.\n`);
const row = (name, it) => [name, short(it.kibEach), short(it.cpuPercent)];
console.log(table([["", "KiB each", "% of a core"], row("axum, idle streams", limit), row("maitred", ours)]));
console.log(`\nA turn beside them, ${TALKING.at_once} at once, ${rounds} rounds of ${TALKING.turns}: the median (least to most).\n`);
const pair = (name, { alone, beside }) => [name, withSpread(alone), withSpread(beside), short(beside.median / alone.median)];
console.log(table([["", "without them, ms", "with them, ms", "ratio"], pair("p50", p50), pair("p99", p99)]));
console.log(`\nTold to end with all of them open, it had ended after ${short(ends.ms)} ms, exit code ${ends.code}.`);
const groups = [{ name: "KiB each", bars: [limit, ours].map(({ kibEach: kib }, n) => ({ name: ["axum", "maitred"][n], median: kib, least: kib, most: kib })) }];
keep("crowd", { streams, seconds, limit, ours, p50, p99, ends }, bars("Memory of an idle stream, KiB (logarithmic)", groups));
process.exit(0);

function talk() {
  return talkers.ask({ address, agent, ...TALKING });
}

/** Opens all streams, waits, and says what they cost. The last one's stay open. */
async function idle({ pid, address, child, ended }, { agent = null }) {
  const before = used(pid);
  const half = Math.ceil(streams / 2);
  const jobs = crowd.map((peer, n) => peer.ask({ address, agent, streams: n ? streams - half : half, first_address: 1 + n * 100 }));
  await Promise.all(jobs);
  await sleep(2000);
  const open = used(pid);
  await sleep(seconds * 1000);
  const after = used(pid);
  if (agent === null) {
    child.kill("SIGKILL");
    await ended;
  }
  return {
    kibEach: (after.kib - before.kib) / streams,
    cpuPercent: (100 * (after.cpuSeconds - open.cpuSeconds)) / seconds,
    kibBefore: before.kib,
  };
}

async function ended({ child, ended }) {
  const at = performance.now();
  child.kill("SIGTERM");
  await ended;
  return { ms: performance.now() - at, code: child.exitCode };
}
