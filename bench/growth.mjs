// How cost grows with what is stored: what a visitor asks for, with 10 to 1,000,000
// conversations in the database and with 10 to 10,000 entries in one; and how long the
// program takes to its first answer. On a SQLite file.
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { SignJWT } from "jose";
import { bars, keep, middle, short, table } from "./report.mjs";
import { ORIGIN, install, startEcho, used } from "./servers.mjs";
import { Visitor } from "./visitor.mjs";

const [most = 1_000_000, times = 200] = process.argv.slice(2).map(Number);
if (![most, times].every((number) => Number.isInteger(number) && number >= 10)) {
  console.error("CONVERSATIONS is the most that are stored, TIMES how often each thing is asked: whole numbers from 10");
  process.exit(2);
}
/** How many conversations somebody has, at the most. */
const OF_ONE = 100;

const sizes = [10, 1_000, 100_000, 1_000_000].filter((size) => size <= most);
const inAll = {};
for (const size of sizes) {
  inAll[size] = await measure(Math.ceil(size / OF_ONE), Math.min(size, OF_ONE), 1);
  process.stderr.write(`${size} `);
}
const inOne = {};
for (const entries of [10, 1_000, 10_000]) {
  inOne[entries] = await measure(1, 1, entries / 2);
  process.stderr.write(`${entries} `);
}
const echo = middle((await starts(startEcho)).map((it) => it.startMs));
process.stderr.write("\n\n");

const ASKED = ["a token for a session", "the list", "the list's second page", "a search", "the entries", "a turn"];
const columns = (found) => ASKED.map((name) => [name, ...Object.values(found).map((it) => it[name] ? `${short(it[name].p50)} / ${short(it[name].p99)}` : "")]);
const counts = (found) => Object.keys(found).map((count) => short(Number(count)));
console.log(`p50 / p99 in ms, ${times} times each, one after another.\n`);
console.log(table([["conversations in all", ...counts(inAll)], ...columns(inAll)]));
console.log();
console.log(table([["entries in one", ...counts(inOne)], ...columns(inOne).filter(([name]) => /entries|turn|token/.test(name))]));
console.log("\nUntil the first answer, ms, and resident memory then, MiB: the median of five starts.\n");
const start = (count) => [`maitred, ${short(Number(count))} conversations`, short(inAll[count].start), short(inAll[count].mib), short(inAll[count].fileMib)];
console.log(table([["", "ms", "MiB", "file, MiB"], ["axum echo", short(echo.median), "", ""], ...Object.keys(inAll).map(start)]));
const groups = ASKED.map((name) => ({ name: "", bars: Object.entries(inAll).filter(([, it]) => it[name]).map(([count, it]) => ({ name: `${name}, ${short(Number(count))}`, median: it[name].p50, least: it[name].p50, most: it[name].p99 })) }));
keep("growth", { times, inAll, inOne, echo }, bars("p50 (bar) to p99 (line), ms (logarithmic)", groups));
process.exit(0);

/** What everything costs with so much stored. */
async function measure(contacts, conversations, turns) {
  const place = await install("growth");
  const { agent } = place.maitred("agent", "create", "Ada", "--origin", ORIGIN);
  const key = place.maitred("key", "create", "--agent", agent);
  const token = async (subject) => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub: subject, email: `${subject}@shop.example`, name: "Sarah", iat: now, exp: now + 3000 };
    return new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: key.key }).sign(new TextEncoder().encode(key.secret));
  };
  // One conversation as it really is; the rest are copies of it.
  const first = await place.serve();
  const model = await Visitor.open(place.address, agent, await token("model"));
  await model.turn((await model.ask("POST", "/v1/conversations", {})).id);
  await end(first);
  const numbers = [contacts, conversations, turns].map(String);
  execFileSync("python3", ["bench/seed.py", `${place.data}/maitred.db`, ...numbers], { stdio: "inherit" });

  const began = await starts(() => place.serve());
  const server = await place.serve();
  const mib = used(server.pid).kib / 1024;
  const of = `user-${Math.floor(contacts / 2)}`;
  const found = {};
  const tokens = await Promise.all(Array.from({ length: times }, () => token(of)));
  const timed = async (name, ask) => {
    const took = [];
    for (let number = 0; number < times; number++) {
      const at = performance.now();
      await ask(number);
      took.push(performance.now() - at);
    }
    took.sort((one, other) => one - other);
    found[name] = { p50: took[times >> 1], p99: took[Math.floor(times * 0.99)] };
  };
  const sarah = await Visitor.open(place.address, agent, tokens[0]);
  const page = await sarah.ask("GET", "/v1/conversations");
  const { id } = page.items[0];
  await sarah.turn(id);
  await timed("a token for a session", (number) => Visitor.open(place.address, agent, tokens[number]));
  await timed("the list", () => sarah.ask("GET", "/v1/conversations"));
  if (page.next) await timed("the list's second page", () => sarah.ask("GET", `/v1/conversations?cursor=${page.next}`));
  await timed("a search", () => sarah.ask("GET", "/v1/conversations?q=working+days"));
  await timed("the entries", () => sarah.ask("GET", `/v1/conversations/${id}/entries`));
  await timed("a turn", () => sarah.turn(id));
  await end(server);
  const fileMib = statSync(`${place.data}/maitred.db`).size / 2 ** 20;
  return { ...found, start: middle(began.map((it) => it.startMs)).median, mib, fileMib };
}

async function starts(start) {
  const began = [];
  for (let time = 0; time < 5; time++) {
    began.push(await start());
    await end(began.at(-1));
  }
  return began;
}

async function end({ child, ended }) {
  child.kill("SIGTERM");
  await ended;
}
