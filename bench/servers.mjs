// The programs that are measured: installations of maitred, and the limit.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";

/** The page that the widget would be embedded in. */
export const ORIGIN = "https://shop.example";

/** What the model answers, a word at a time. */
const TWENTY_WORDS = "Here is what I found on the page about your question. It takes two or three working days to arrive.".split(/(?<= )/);

const began = [];
const folders = [];
process.on("exit", () => {
  for (const { child } of began) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/**
 * A maitred with its data in a folder of its own, without limits, since everybody
 * comes from one address, and with a script in place of a model.
 *
 * @param {string} name
 * @param {Record<string, string>} [settings]
 */
export async function install(name, settings = {}) {
  mkdirSync("target/bench", { recursive: true });
  const data = mkdtempSync(`target/bench/${name}-`);
  folders.push(data);
  const address = await freeAddress();
  const deltas = TWENTY_WORDS.map((text) => ({ text }));
  writeFileSync(`${data}/script.json`, JSON.stringify({ replies: [{ when: "", deltas }] }));
  const environment = {
    ...process.env,
    MAITRED__SERVER__DATA: data,
    MAITRED__SERVER__LISTEN: address,
    MAITRED__TESTING__SCRIPT: `${data}/script.json`,
    MAITRED__LIMITS__REQUESTS: "0",
    MAITRED__LIMITS__REFUSED_TOKENS: "0",
    MAITRED__LIMITS__ANONYMOUS_SESSIONS: "0",
    RUST_LOG: "error",
    ...settings,
  };
  return {
    data,
    address,
    /** Runs a command that answers with JSON. */
    maitred: (...args) =>
      JSON.parse(execFileSync("target/release/maitred", [...args, "--json"], { env: environment, encoding: "utf8" })),
    serve: () => start("target/release/maitred", ["serve"], `http://${address}/readyz`, environment),
  };
}

/** The limit: the same framework, and no work. Its address. */
export async function startEcho() {
  const address = await freeAddress();
  return { address, ...(await start("target/release/echo", [address], `http://${address}/`, process.env)) };
}

async function freeAddress() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

/** Starts a program, waits until it answers, and says how long that took. */
async function start(command, args, url, environment) {
  const at = performance.now();
  const child = spawn(command, args, { env: environment, stdio: ["ignore", "ignore", "inherit"] });
  const running = { child, pid: child.pid, ended: new Promise((resolve) => child.once("exit", resolve)) };
  began.push(running);
  while (child.exitCode === null) {
    try {
      await (await fetch(url)).text();
      return { ...running, startMs: performance.now() - at };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  throw new Error(`${command} does not answer at ${url}`);
}

/** What a process uses now: resident memory, and processor time so far. */
export function used(pid) {
  const kib = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
  // After the name, which may hold anything: fields 14 and 15, in hundredths of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return { kib, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100 };
}
