// How many tokens are exchanged for sessions in a second: 64 at once over
// connections that stay open, contacts that are known, warm keys, a SQLite file
// that waits for the disk at each commit. Beside an echo of the same requests by
// the same framework. Client and server share the machine. They take turns: ROUNDS
// times, after one for warming up.
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { SignJWT } from "jose";
import { Peer } from "./peer.mjs";
import { bars, keep, middle, short, table, withSpread } from "./report.mjs";
import { ORIGIN, install, startEcho } from "./servers.mjs";

const [rounds = 7, requests = 20_000] = process.argv.slice(2).map(Number);
if (![rounds, requests].every((number) => Number.isInteger(number) && number >= 1)) {
  console.error("ROUNDS is how often everybody has a turn, REQUESTS how many each sends in one: whole numbers from 1");
  process.exit(2);
}
const AT_ONCE = 64;
const SUBJECTS = 1000;
const ECHO = "axum echo";

const { data, address, maitred, serve } = await install("exchange");
const { agent } = maitred("agent", "create", "Ada", "--origin", ORIGIN);
const made = maitred("key", "create", "--agent", agent);
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
writeFileSync(`${data}/public.pem`, pair.publicKey.export({ type: "spki", format: "pem" }));
const imported = maitred("key", "import", `${data}/public.pem`, "--agent", agent);

const secret = new TextEncoder().encode(made.secret);
const [hs256, es256] = [await bodies("HS256", made.key, secret), await bodies("ES256", imported.key, pair.privateKey)];
await serve();
const echo = await startEcho();

const load = new Peer("target/release/load");
const known = { path: "/v1/sessions", requests, at_once: AT_ONCE };
const contestants = {
  [ECHO]: { ...known, address: echo.address, bodies: hs256, proof: false },
  "HS256": { ...known, address, bodies: hs256, proof: false },
  "ES256": { ...known, address, bodies: es256, proof: false },
  "HS256 with proof": { ...known, address, bodies: hs256, proof: true },
};
const names = Object.keys(contestants);
const measured = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 0; round <= rounds; round++) {
  for (const name of names) {
    const answer = await load.ask(contestants[name]);
    if (round > 0) measured[name].push(answer);
  }
  process.stderr.write(`${round} `);
}
process.stderr.write("\n\n");
load.end();

const found = {};
for (const name of names) {
  const of = (field) => middle(measured[name].map((answer) => answer[field]));
  const share = middle(measured[name].map((answer, round) => (100 * answer.per_second) / measured[ECHO][round].per_second));
  found[name] = { per_second: of("per_second"), share, p50_ms: of("p50_ms"), p99_ms: of("p99_ms") };
}
const row = (name) => {
  const { per_second, share, p50_ms, p99_ms } = found[name];
  return [name, withSpread(per_second), withSpread(share), short(p50_ms.median), short(p99_ms.median)];
};
console.log(`Exchanges a second, ${AT_ONCE} at once, ${short(requests)} in each of ${rounds} rounds: the median (least to most).\n`);
console.log(table([["", "a second", "% of the echo", "p50 ms", "p99 ms"], ...names.map(row)]));
const groups = names.map((name) => ({ name: "", bars: [{ name, ...found[name].per_second }] }));
keep("exchange", { unit: "a second", rounds, requests, at_once: AT_ONCE, found }, bars("Exchanges a second (logarithmic)", groups));
process.exit(0);

/** What frames send to open a session: each subject once. */
function bodies(alg, kid, key) {
  const now = Math.floor(Date.now() / 1000);
  const body = async (_, number) => {
    const claims = {
      sub: `user-${number}`, email: `user-${number}@shop.example`, name: `Customer ${number}`, locale: "en-GB",
      iat: now, exp: now + 3600, plan: "professional", seats: 12,
    };
    const token = await new SignJWT(claims).setProtectedHeader({ alg, kid, typ: "JWT" }).sign(key);
    return { agent, page_origin: ORIGIN, token };
  };
  return Promise.all(Array.from({ length: SUBJECTS }, body));
}
