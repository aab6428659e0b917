/** A whole mail server on loopback, with certificates that a test trusts or not. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { SMTPServer } from "smtp-server";
import { afterwards, temporaryDirectory } from "./cleanup.mjs";
import { until } from "./until.mjs";

/** @typedef {import("node:test").TestContext} Test */

const run = promisify(execFile);

/**
 * An authority, and a certificate of it for `localhost`, or another name.
 *
 * @param {Test} t
 * @param {string} [name]
 * @returns {Promise<{ authority: string, key: Buffer, cert: Buffer }>} the authority's certificate as a path
 */
export async function certificates(t, name = "DNS:localhost") {
  const directory = await temporaryDirectory(t);
  const at = (/** @type {string} */ file) => join(directory, file);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const issue = (/** @type {string[]} */ ...args) => run("openssl", ["req", "-x509", ...key, ...args]);
  await issue("-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=Test authority");
  const signed = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-addext", `subjectAltName=${name}`];
  const leaf = [...signed, "-addext", "basicConstraints=critical,CA:FALSE", "-subj", "/CN=localhost"];
  await issue(...leaf, "-keyout", at("localhost.key"), "-out", at("localhost.pem"));
  return {
    authority: at("ca.pem"),
    key: await readFile(at("localhost.key")),
    cert: await readFile(at("localhost.pem")),
  };
}

/** @typedef {{ to: string[], user: string | null, secure: boolean, text: string }} Letter */

/** A server, and what it was given. */
export class MailServer {
  /** @type {Letter[]} */
  letters = [];
  /** How often somebody connected. */
  connections = 0;
  #read = 0;

  /** @param {number} port */
  constructor(port) {
    this.port = port;
  }

  /** The next letter that nobody has read. */
  async letter() {
    const letter = await until("a letter comes", () => this.letters[this.#read]);
    this.#read += 1;
    return letter;
  }
}

/** The line of six digits in a letter. @param {Letter} letter */
export function codeIn(letter) {
  const line = letter.text.split("\r\n").find((it) => /^\d{6}$/.test(it));
  if (!line) throw new Error(`no code in: ${letter.text}`);
  return line;
}

/**
 * @param {Test} t
 * @param {object} options of the `smtp-server` package
 */
export async function startMailServer(t, options = {}) {
  /** @type {MailServer} */
  let mail;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    logger: false,
    onAuth: ({ username, password }, _session, done) =>
      done(password === "hunter2" ? null : new Error("wrong password"), { user: username }),
    onConnect: (_session, done) => {
      mail.connections += 1;
      done();
    },
    onData: (stream, session, done) => {
      let text = "";
      stream.setEncoding("utf8").on("data", (part) => (text += part));
      stream.on("end", () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        mail.letters.push({ to, user: session.user ?? null, secure: session.secure, text });
        done();
      });
    },
    ...options,
  });
  // A client that does not trust it hangs up: that is a test's business.
  server.on("error", () => undefined);
  server.listen(0, "localhost");
  await once(server.server, "listening");
  afterwards(t, () => new Promise((done) => server.close(() => done(undefined))));
  mail = new MailServer(server.server.address().port);
  return mail;
}
