/** One-time codes, by the real binary and a whole mail server (rule A3). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryDirectory } from "../support/cleanup.mjs";
import { certificates, codeIn, startMailServer } from "../support/mail-server.mjs";
import { run, runForJson, startServer } from "../support/maitred.mjs";
import { until } from "../support/until.mjs";

const ORIGIN = "http://localhost:8080";
const SARAH = "sarah.miller@example.com";

/**
 * A maitred that sends mail by that URL, and a way to ask it as a new visitor.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} url
 * @param {Record<string, string>} [more] environment
 */
async function startWithMail(t, url, more = {}) {
  const data = await temporaryDirectory(t);
  const { agent } = await runForJson(["agent", "create", "Ada", "--origin", ORIGIN, "--data", data]);
  const mail = { MAITRED__MAIL__URL: url, MAITRED__MAIL__FROM: "Shop <chat@shop.example>" };
  const { maitred } = await startServer(t, data, { ...mail, ...more });
  const post = async (path, body, session = "") => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${session}` };
    const answer = await fetch(`${maitred.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
  const visitor = async () => {
    const opened = await post("/v1/sessions", { agent, page_origin: ORIGIN });
    assert.equal(opened.status, 201, JSON.stringify(opened.body));
    return {
      asks: (email) => post("/v1/code", { email }, opened.body.session),
      types: (code) => post("/v1/code/verification", { code }, opened.body.session),
    };
  };
  return { maitred, visitor };
}

/** Asks for a code, waits for the mail, and types it in. */
async function proves(visitor, mail) {
  assert.equal((await visitor.asks(SARAH)).status, 202);
  const letter = await mail.letter();
  assert.deepEqual(letter.to, [SARAH]);
  const typed = await visitor.types(codeIn(letter));
  assert.equal(typed.status, 200, JSON.stringify(typed.body));
  assert.equal(typed.body.assurance, "code");
  assert.equal(typed.body.proven.email, SARAH);
  return letter;
}

test("a code comes by mail, opens what it is for, and is in no log", async (t) => {
  const mail = await startMailServer(t);
  const { maitred, visitor } = await startWithMail(t, `smtp://localhost:${mail.port}`);

  const letter = await proves(await visitor(), mail);

  assert.match(letter.text, /^Subject: Your code for Ada at localhost:8080\r$/m);
  assert.match(letter.text, /^Auto-Submitted: auto-generated\r$/m);
  // The times in the log have six digits too, behind a dot.
  assert.doesNotMatch(maitred.output, new RegExp(`(?<![\\d.])${codeIn(letter)}(?!\\d)`));
  assert.ok(!maitred.output.includes(SARAH), "the address is in the log");
});

test("mail goes over TLS with a login, and the password is in no log", async (t) => {
  const { authority, key, cert } = await certificates(t);
  const mail = await startMailServer(t, { secure: true, key, cert, authOptional: false });
  const url = `smtps://ada%40shop.example:hunter2@localhost:${mail.port}`;
  const { maitred, visitor } = await startWithMail(t, url, { SSL_CERT_FILE: authority });

  const letter = await proves(await visitor(), mail);

  assert.equal(letter.user, "ada@shop.example");
  assert.ok(letter.secure);
  assert.ok(!maitred.output.includes("hunter2"), "the password is in the log");
});

// Loopback, but not by a name that maitred takes for it: there, smtp:// would not be encrypted.
const ELSEWHERE = "::ffff:127.0.0.1";

test("mail goes by STARTTLS to another machine, the login only once it is encrypted", async (t) => {
  const { authority, key, cert } = await certificates(t, `IP:${ELSEWHERE}`);
  const mail = await startMailServer(t, { disabledCommands: [], key, cert, authOptional: false });
  const url = `smtp://ada%40shop.example:hunter2@[${ELSEWHERE}]:${mail.port}`;
  const { maitred, visitor } = await startWithMail(t, url, { SSL_CERT_FILE: authority });

  const letter = await proves(await visitor(), mail);

  assert.equal(letter.user, "ada@shop.example");
  assert.ok(letter.secure);
  assert.ok(!maitred.output.includes("hunter2"), "the password is in the log");
});

test("a mail server that nobody vouches for is given nothing by STARTTLS either", async (t) => {
  const { key, cert } = await certificates(t, `IP:${ELSEWHERE}`);
  const mail = await startMailServer(t, { disabledCommands: [], key, cert });
  const { maitred, visitor } = await startWithMail(t, `smtp://ada:hunter2@[${ELSEWHERE}]:${mail.port}`);

  assert.equal((await (await visitor()).asks(SARAH)).status, 202);
  await until("it is logged", () => maitred.output.includes("a one-time code was not sent"), 60_000);

  assert.deepEqual(mail.letters, []);
  assert.ok(!maitred.output.includes(SARAH), "the address is in the log");
});

test("a mail server that nobody vouches for is given nothing", async (t) => {
  const { key, cert } = await certificates(t);
  const mail = await startMailServer(t, { secure: true, key, cert });
  const { maitred, visitor } = await startWithMail(t, `smtps://ada:hunter2@localhost:${mail.port}`);

  assert.equal((await (await visitor()).asks(SARAH)).status, 202);
  await until("it is logged", () => maitred.output.includes("a one-time code was not sent"), 60_000);

  assert.deepEqual(mail.letters, []);
  assert.ok(!maitred.output.includes(SARAH), "the address is in the log");
});

test("a mail server that refuses the login is given nothing, and is not asked again", async (t) => {
  const { authority, key, cert } = await certificates(t);
  const mail = await startMailServer(t, { secure: true, key, cert, authOptional: false });
  const url = `smtps://ada:wrong@localhost:${mail.port}`;
  const { maitred, visitor } = await startWithMail(t, url, { SSL_CERT_FILE: authority });

  assert.equal((await (await visitor()).asks(SARAH)).status, 202);
  await until("it is logged", () => maitred.output.includes("the mail server answered 535"), 60_000);

  assert.equal(mail.connections, 1);
  assert.deepEqual(mail.letters, []);
});

test("settings of a mail server that cannot be used are refused without the password", async (t) => {
  const data = await temporaryDirectory(t);

  const { code, stderr } = await run(["check-config", "--data", data], { MAITRED__MAIL__URL: "https://ada:hunter2@x" });

  assert.equal(code, 2);
  assert.match(stderr, /`mail.from` must say whom mail is from/);
  assert.ok(!stderr.includes("hunter2"), stderr);
});
