/** A real language model, served by llama.cpp on loopback. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { afterwards } from "./cleanup.mjs";
import { freePort } from "./maitred.mjs";
import { until } from "./until.mjs";

/** @typedef {import("node:test").TestContext} Test */

/** Where scripts/lib/language-models put them. */
const MODELS = resolve(process.env.LANGUAGE_MODELS ?? join(import.meta.dirname, "../../target/models"));
const TEMPLATE = join(import.meta.dirname, "../model/calls-in-fences.jinja");
const LOADED_WITHIN = 60_000;

/** Somebody else's program and somebody else's weights: not as root. */
const UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--"];

/**
 * Serves a model until the test is over.
 *
 * @param {Test} t
 * @param {"small.gguf" | "coder.gguf"} name
 * @returns {Promise<{ host: string, url: string, read: () => string }>} `url` is what an operator sets
 */
export async function startLanguageModel(t, name) {
  const port = await freePort();
  const inside = process.getuid?.() === 0 ? UNPRIVILEGED : [];
  const server = [
    join(MODELS, "bin/llama-server"),
    ...["--model", join(MODELS, name), "--host", "127.0.0.1", "--port", String(port)],
    ...["--threads", "2", "--ctx-size", "8192", "--parallel", "1", "--jinja", "--no-warmup"],
    ...(name === "coder.gguf" ? ["--chat-template-file", TEMPLATE] : []),
  ];
  const [program, ...args] = [...inside, ...server];
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, LD_LIBRARY_PATH: join(MODELS, "bin") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  afterwards(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  const host = `127.0.0.1:${port}`;
  await until(
    `${name} is loaded`,
    async () => {
      if (child.exitCode !== null) throw new Error(`llama-server ended at once: ${output}`);
      const answer = await fetch(`http://${host}/health`).catch(() => null);
      return answer?.ok;
    },
    LOADED_WITHIN,
  );
  return { host, url: `http://${host}/v1`, read: () => output };
}

/** Why the models cannot be used here; false if they can. */
export function whyNoModels() {
  const inside = process.getuid?.() === 0 ? UNPRIVILEGED : [];
  const [program, ...args] = [...inside, "test", "-r", join(MODELS, "coder.gguf")];
  return spawnSync(program, args).status === 0 ? false : `\`${MODELS}\` has no models, or an unprivileged user cannot read them`;
}
