/** Starts the real binary, as an operator would. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { afterwards, temporaryDirectory } from "./cleanup.mjs";
import { until } from "./until.mjs";

/** @typedef {import("node:test").TestContext} Test */

const BINARY = process.env.MAITRED_BIN
  ? resolve(process.env.MAITRED_BIN)
  : resolve(import.meta.dirname, "../../target/release/maitred");

const START_WITHIN = 60_000;
const STOP_WITHIN = 30_000;

/** What opens something: our own secrets by their beginnings, and every JWT. */
const SECRET = /^.*(?:mtd_(?:live|test|session|visitor|api)_|eyJ)[\w.-]{16,}.*$/m;

/** What the surroundings set must not reach the program under test. */
function cleanEnvironment(extra = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("MAITRED_"));
  return { ...Object.fromEntries(inherited), ...extra };
}

/** A port that nobody listens on, on loopback. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Runs a command to its end.
 *
 * @param {string[]} args
 * @param {Record<string, string>} [environment]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export function run(args, environment = {}) {
  return new Promise((done) => {
    const options = { env: cleanEnvironment(environment), timeout: START_WITHIN };
    const child = execFile(BINARY, args, options, (_error, stdout, stderr) => {
      done({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

/**
 * Runs a command that answers with one JSON value.
 *
 * @param {string[]} args
 */
export async function runForJson(args) {
  const { code, stdout, stderr } = await run([...args, "--json"]);
  assert.equal(code, 0, `maitred ${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout);
}

/** A running program. */
export class Maitred {
  #child;
  #output = "";

  /**
   * @param {string[]} args
   * @param {string} url where it serves
   * @param {Record<string, string>} environment
   * @param {string[]} inside a command that runs it
   */
  constructor(args, url, environment, inside = []) {
    this.url = url;
    const [program, ...rest] = [...inside, BINARY, ...args];
    // Everything is logged, so that `printsNoSecret` sees all that could be.
    const env = cleanEnvironment({ RUST_LOG: "trace", ...environment });
    this.#child = spawn(program, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.#output += text;
      });
    }
  }

  /** Its process. */
  get pid() {
    return this.#child.pid;
  }

  /** All that it printed. */
  get output() {
    return this.#output;
  }

  /** Rule D3, for every test that starts the program. */
  printsNoSecret() {
    const found = SECRET.exec(this.#output);
    assert.equal(found && found[0], null, "a secret was printed");
  }

  get #isOver() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async ready() {
    await until(
      "maitred is ready",
      async () => {
        assert.ok(!this.#isOver, `maitred ended at once: ${this.#output}`);
        const answer = await fetch(`${this.url}/readyz`).catch(() => null);
        return answer?.status === 200;
      },
      START_WITHIN,
    );
    return this;
  }

  /**
   * Asks it to stop and expects that it does so cleanly.
   *
   * @param {NodeJS.Signals} [signal]
   */
  async stop(signal = "SIGTERM") {
    if (this.#isOver) return;
    const late = setTimeout(() => this.#child.kill("SIGKILL"), STOP_WITHIN);
    this.#child.kill(signal);
    await once(this.#child, "exit");
    clearTimeout(late);
    assert.equal(this.#child.exitCode, 0, `exit code after ${signal}: ${this.#output}`);
  }

  /** `kill -9`. */
  async kill() {
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/**
 * @param {Test} t
 * @param {string[]} args
 * @param {string} url
 * @param {Record<string, string>} [environment]
 * @param {string[]} [inside]
 */
async function start(t, args, url, environment = {}, inside = []) {
  const maitred = new Maitred(args, url, environment, inside);
  afterwards(t, () => maitred.printsNoSecret());
  afterwards(t, () => maitred.stop());
  return maitred.ready();
}

/**
 * @typedef {object} Demo
 * @property {Maitred} maitred
 * @property {string} shop the shop's origin
 * @property {string} data
 * @property {{ agent: string, key: string, secret: string }} settings what the shop was told
 * @property {() => Promise<Maitred>} restart starts it again, on the same data and ports
 */

/**
 * `maitred demo`, on free ports.
 *
 * @param {Test} t
 * @param {string} [data]
 * @returns {Promise<Demo>}
 */
export async function startDemo(t, data) {
  const directory = data ?? (await temporaryDirectory(t));
  const [port, shopPort] = [await freePort(), await freePort()];
  const args = ["demo", "--listen", `127.0.0.1:${port}`, "--shop", `localhost:${shopPort}`, "--data", directory];
  const again = () => start(t, args, `http://127.0.0.1:${port}`);
  const maitred = await again();
  return {
    maitred,
    shop: `http://localhost:${shopPort}`,
    data: directory,
    settings: JSON.parse(await readFile(join(directory, "shop.json"), "utf8")),
    restart: again,
  };
}

/**
 * @typedef {object} Service
 * @property {Maitred} maitred
 * @property {() => Promise<Maitred>} restart starts it again, on the same data and port
 */

/**
 * `maitred serve`, on a free port.
 *
 * @param {Test} t
 * @param {string} data
 * @param {Record<string, string>} environment
 * @param {string[]} [inside] a command that runs it
 * @returns {Promise<Service>}
 */
export async function startServer(t, data, environment, inside) {
  const port = await freePort();
  const args = ["serve", "--listen", `127.0.0.1:${port}`, "--data", data];
  const again = () => start(t, args, `http://127.0.0.1:${port}`, environment, inside);
  return { maitred: await again(), restart: again };
}
