// How many turns in a second: a visitor says something, which is kept; a model that
// costs nothing answers with twenty words, which are streamed; the answer is kept.
// On a SQLite file that waits for the disk at each commit, and on PostgreSQL as it
// comes. Beside the same framework, which sends twenty frames and keeps nothing.
import { Peer } from "./peer.mjs";
import { bars, keep, middle, short, table, withSpread } from "./report.mjs";
import { ORIGIN, install, startEcho } from "./servers.mjs";

const [rounds = 5, turns = 5_000] = process.argv.slice(2).map(Number);
if (![rounds, turns].every((number) => Number.isInteger(number) && number >= 1)) {
  console.error("ROUNDS is how often everybody has a turn, TURNS how many each runs in one: whole numbers from 1");
  process.exit(2);
}
const LIMIT = "axum, 20 frames";
const postgres = process.env.MAITRED_TEST_DATABASE_URL;
delete process.env.MAITRED_TEST_DATABASE_URL;

const echo = await startEcho();
const contestants = { [LIMIT]: { address: echo.address } };
await add("SQLite", {});
if (postgres) await add("PostgreSQL", { MAITRED__DATABASE__URL: postgres });

const load = new Peer("target/release/turns");
const AT_ONCE = [1, 16, 64];
const names = Object.keys(contestants).flatMap((name) => AT_ONCE.map((atOnce) => `${name}, ${atOnce} at once`));
const measured = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 0; round <= rounds; round++) {
  for (const [name, contestant] of Object.entries(contestants)) {
    for (const atOnce of AT_ONCE) {
      const few = atOnce === 1 ? Math.ceil(turns / 5) : turns;
      const answer = await load.ask({ ...contestant, turns: few, at_once: atOnce });
      if (round > 0) measured[`${name}, ${atOnce} at once`].push(answer);
    }
  }
  process.stderr.write(`${round} `);
}
process.stderr.write("\n\n");
load.end();

const found = {};
for (const name of names) {
  const of = (field) => middle(measured[name].map((answer) => answer[field]));
  const limit = measured[`${LIMIT}, ${name.split(", ").at(-1)}`];
  const share = middle(measured[name].map((answer, round) => (100 * answer.per_second) / limit[round].per_second));
  found[name] = { per_second: of("per_second"), share, first_p50_ms: of("first_p50_ms"), p50_ms: of("p50_ms"), p99_ms: of("p99_ms") };
}
const row = (name) => {
  const { per_second, share, first_p50_ms, p50_ms, p99_ms } = found[name];
  const first = name.startsWith(LIMIT) ? "" : short(first_p50_ms.median);
  return [name, withSpread(per_second), withSpread(share), first, short(p50_ms.median), short(p99_ms.median)];
};
console.log(`Turns a second, ${short(turns)} in each of ${rounds} rounds: the median (least to most). Nothing was lost.\n`);
console.log(table([["", "a second", "% of the limit", "first word p50 ms", "p50 ms", "p99 ms"], ...names.map(row)]));
const groups = names.map((name) => ({ name: "", bars: [{ name, ...found[name].per_second }] }));
keep("turns", { unit: "a second", rounds, turns, found }, bars("Turns a second (logarithmic)", groups));
process.exit(0);

async function add(name, settings) {
  const { address, maitred, serve } = await install("turns", settings);
  const { agent } = maitred("agent", "create", "Ada", "--origin", ORIGIN);
  await serve();
  contestants[name] = { address, agent };
}
