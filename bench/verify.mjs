// What it costs to verify a token, on one core, with keys that were parsed before:
// all our rules, beside the bare check of the signature and other libraries. They
// take turns, with the same tokens and keys: ROUNDS times, after one for warming up.
import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { Peer } from "./peer.mjs";
import { bars, keep, middle, short, table, withSpread } from "./report.mjs";

const rounds = Number(process.argv[2] ?? 7);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error("ROUNDS is how often everybody has a turn: a whole number from 1; 5 or more for a median");
  process.exit(2);
}
const BARE = "bare aws-lc";
const OURS = "maitred-token";
const peers = {
  [BARE]: new Peer("target/release/verify", "bare"),
  [OURS]: new Peer("target/release/verify", "maitred"),
  jsonwebtoken: new Peer("target/release/verify", "jsonwebtoken"),
  jose: new Peer("node", "bench/peers/jose.mjs"),
  "fast-jwt": new Peer("node", "bench/peers/fast-jwt.mjs"),
  PyJWT: new Peer("target/bench/venv/bin/python", "bench/peers/pyjwt.py"),
};
const EC = { ES256: "P-256", ES384: "P-384" };
const algorithms = [
  ...["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "EdDSA"],
];

const now = Math.floor(Date.now() / 1000);
/** What a typical site signs: about 300 bytes. */
const claims = {
  sub: "user-48151623", email: "sarah.miller@shop.example", name: "Sarah Miller", locale: "en-GB",
  iat: now - 30, exp: now + 3570,
  company: "Miller & Daughters", plan: "professional", seats: 12, trial: false,
  teams: ["billing", "logistics"], customer_since: "2019-04-12",
};

async function job(alg) {
  const kid = "key_1";
  const sign = (key) => new SignJWT(claims).setProtectedHeader({ alg, kid, typ: "JWT" }).sign(key);
  const known = { alg, kid, now, for_ms: 100 };
  if (alg.startsWith("HS")) {
    const secret = "mtd_test_0123456789012345678901234567890123456789012abcdefghijkl";
    return { ...known, secret, token: await sign(new TextEncoder().encode(secret)) };
  }
  const { publicKey, privateKey } = pair(alg);
  const pem = publicKey.export({ type: "spki", format: "pem" });
  return { ...known, pem, token: await sign(privateKey) };
}

function pair(alg) {
  if (alg === "EdDSA") return generateKeyPairSync("ed25519");
  if (alg in EC) return generateKeyPairSync("ec", { namedCurve: EC[alg] });
  return generateKeyPairSync("rsa", { modulusLength: 2048 });
}

const found = {};
for (const alg of algorithms) {
  const asked = await job(alg);
  const took = Object.fromEntries(Object.keys(peers).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, peer] of Object.entries(peers)) {
      const { ns } = await peer.ask(asked);
      if (round > 0) took[name].push(ns / 1000);
    }
  }
  const rules = middle(took[OURS].map((ours, round) => ours - took[BARE][round]));
  found[alg] = { rules, ...Object.fromEntries(Object.entries(took).map(([name, each]) => [name, middle(each)])) };
  process.stderr.write(`${alg} `);
}
process.stderr.write("\n\n");
for (const peer of Object.values(peers)) peer.end();

const names = Object.keys(peers);
const row = (alg) => [
  alg, ...[BARE, OURS].map((name) => withSpread(found[alg][name])), withSpread(found[alg].rules),
  ...names.slice(2).map((name) => `${short(found[alg][name].median)} (${short(found[alg][name].median / found[alg][OURS].median)}x)`),
];
console.log(`Microseconds of processor time for one token of ${JSON.stringify(claims).length} bytes of claims: the median of ${rounds} (least to most); times ours.\n`);
console.log(table([["", BARE, OURS, "all rules", ...names.slice(2)], ...algorithms.map(row)]));
const groups = algorithms.map((alg) => ({ name: alg, bars: names.map((name) => ({ name, ...found[alg][name] })) }));
keep("verify", { unit: "microseconds", rounds, claims, found }, bars("Microseconds to verify one token (logarithmic)", groups));
