/** What the program outlives: its own backup, a full disk, a proxy that would like to buffer. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { open, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { afterwards, temporaryDirectory } from "../support/cleanup.mjs";
import { freePort, run, runForJson, startServer } from "../support/maitred.mjs";
import { Site, startFor } from "../support/site.mjs";
import { until } from "../support/until.mjs";

const ORIGIN = "http://localhost:9";
const GREETS = { replies: [{ when: "hello", deltas: [{ text: "Good day." }] }] };

/** An agent, and a script that it follows. */
async function installation(t) {
  const data = await temporaryDirectory(t);
  const { agent } = await runForJson(["agent", "create", "Ada", "--origin", ORIGIN, "--data", data]);
  const script = join(data, "script.json");
  await writeFile(script, JSON.stringify(GREETS));
  return { data, agent, environment: { MAITRED__TESTING__SCRIPT: script } };
}

/** Somebody without a token. @param {string} url @param {string} agent @param {string} origin @param {object} [more] */
async function enters(url, agent, origin = ORIGIN, more = {}) {
  const answer = await fetch(`${url}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ agent, page_origin: origin, ...more }),
  });
  const opened = await answer.json();
  assert.equal(answer.status, 201, JSON.stringify(opened));
  const headers = { authorization: `Bearer ${opened.session}`, "content-type": "application/json" };
  const ask = (method, path, body) => fetch(`${url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  return { ask, headers, secret: opened.visitor };
}

/** The frames of a stream, as they come. @param {string} url @param {object} headers */
async function* frames(url, headers) {
  const answer = await fetch(`${url}/v1/events`, { headers });
  assert.equal(answer.status, 200);
  let text = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 2);
    }
  }
}

async function everything(visitor, conversation) {
  const items = [];
  for (let after = 0; ; after = items.at(-1).number) {
    const page = await (await visitor.ask("GET", `/v1/conversations/${conversation}/entries?limit=100&after=${after}`)).json();
    items.push(...page.items);
    if (page.items.length < 100) return items;
  }
}

test("R10, R4: a backup beside a running server is restored elsewhere, and an old stream reads everything anew", async (t) => {
  const { data, agent, environment } = await installation(t);
  const { maitred } = await startServer(t, data, environment);
  const visitor = await enters(maitred.url, agent);
  const { id } = await (await visitor.ask("POST", "/v1/conversations", {})).json();
  const stream = frames(maitred.url, visitor.headers);
  const hello = (await stream.next()).value;
  await visitor.ask("POST", `/v1/conversations/${id}/messages`, { id: randomUUID(), text: "hello there" });
  const file = join(await temporaryDirectory(t), "backup");
  const passphrase = join(data, "passphrase");
  await writeFile(passphrase, "correct horse battery staple\n");

  const made = await runForJson(["backup", file, "--with-master-key", "--passphrase-file", passphrase, "--data", data]);
  const again = await run(["backup", file, "--data", data]);
  await stream.return();
  await maitred.stop();

  assert.equal(made.backup, file);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /is there already, and nothing is overwritten\nhint: /);
  const other = await temporaryDirectory(t);
  const without = await run(["restore", file, "--data", other]);
  assert.equal(without.code, 2);
  assert.match(without.stderr, /no terminal to type a passphrase at\nhint: .*--passphrase-file/);
  const wrong = join(data, "wrong");
  await writeFile(wrong, "correct horse battery stable\n");
  const refused = await run(["restore", file, "--passphrase-file", wrong, "--data", other]);
  assert.match(refused.stderr, /nothing was restored: that is not the passphrase/);

  const restored = await runForJson(["restore", file, "--passphrase-file", passphrase, "--data", other]);

  assert.equal(restored.sessions_ended, 1);
  assert.match(restored.note, /revoke again/);
  const over = await run(["restore", file, "--data", other]);
  assert.match(over.stderr, /there is data at .* already, and nothing is overwritten\nhint: /);
  const { maitred: second } = await startServer(t, other, environment);
  const old = await fetch(`${second.url}/v1/events`, { headers: visitor.headers });
  assert.equal((await old.json()).error.code, "session_revoked");
  const back = await enters(second.url, agent, ORIGIN, { visitor: visitor.secret });
  const position = /^id: (.+)$/m.exec(hello)[1];
  const resumed = frames(second.url, { ...back.headers, "last-event-id": position });
  assert.match((await resumed.next()).value, /^event: resync$/m);
  await resumed.return();
  const texts = (await everything(back, id)).map((entry) => entry.text);
  assert.ok(texts.includes("hello there"), "what was acknowledged is there");
});

const canMount = spawnSync("unshare", ["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

test("R8: on a full disk nothing is acknowledged that is not kept, and with room again all goes on", { skip: !canMount && "no tmpfs can be mounted here" }, async (t) => {
  const { data, agent, environment } = await installation(t);
  const disk = await temporaryDirectory(t);
  // A disk of its own, as large as the data and a little.
  const mount = `mount -t tmpfs -o size=3m tmpfs "$0" && cp "${data}"/* "$0" && exec "$@"`;
  const { maitred } = await startServer(t, disk, environment, ["unshare", "-Urm", "sh", "-c", mount, disk]);
  const visitor = await enters(maitred.url, agent);
  const { id } = await (await visitor.ask("POST", "/v1/conversations", {})).json();
  const kept = new Set();
  const say = async (name) => {
    const text = `hello ${"x".repeat(4000)}`;
    const answer = await visitor.ask("POST", `/v1/conversations/${id}/messages`, { id: name, text });
    if (answer.status === 202) kept.add((await answer.clone().json()).entry.id);
    return answer;
  };
  assert.equal((await say(randomUUID())).status, 202);
  const filler = `/proc/${maitred.pid}/root${disk}/filler`;
  const file = await open(filler, "w");
  for (let isFull = false; !isFull; ) {
    isFull = await file.write(Buffer.alloc(16 * 1024)).then(({ bytesWritten }) => bytesWritten < 16 * 1024, () => true);
  }
  await file.close();

  let refused;
  let name;
  for (let tries = 0; tries < 2000 && !refused; tries++) {
    name = randomUUID();
    const answer = await say(name);
    if (answer.status !== 202) refused = answer;
  }

  assert.equal(refused?.status, 507, await refused?.text());
  assert.equal((await visitor.ask("GET", `/v1/conversations/${id}/entries`)).status, 200, "it is still read");
  await rm(filler);
  await until("there is room again", async () => (await say(name)).status === 202);
  await until("the agent goes on", async () => (await everything(visitor, id)).at(-1).by === "agent", 40_000);
  const there = (await everything(visitor, id)).filter((entry) => entry.by === "visitor").map((entry) => entry.id);
  assert.equal(new Set(there).size, there.length, "nothing is there twice");
  assert.deepEqual([...kept].filter((entry) => !there.includes(entry)), [], "all that was acknowledged is there");
  assert.equal(there.length, kept.size, "and nothing else");
});

const NGINX = ["/usr/sbin/nginx", "nginx"].find((path) => spawnSync(path, ["-v"]).status === 0);

test("R11: behind nginx the first delta comes while the model still speaks", { skip: !NGINX && "there is no nginx" }, async (t) => {
  const site = await Site.start(t);
  const replies = [{ when: "story", deltas: [{ text: "Once upon " }, { hold: `${site.origin}/hold` }, { text: "a time." }] }];
  const { maitred } = await startFor(t, site, replies);
  const proxy = await behindNginx(t, maitred.url);
  const visitor = await enters(proxy, site.agent, site.origin);
  const { id } = await (await visitor.ask("POST", "/v1/conversations", {})).json();
  const stream = frames(proxy, visitor.headers);
  await stream.next();

  await visitor.ask("POST", `/v1/conversations/${id}/messages`, { id: randomUUID(), text: "Tell me a story" });

  let delta = "";
  while (!/^event: delta$/m.test(delta)) delta = (await stream.next()).value;
  assert.match(delta, /Once upon /);
  site.model.open();
  while (!/a time\./.test(delta)) delta = (await stream.next()).value;
  await stream.return();
});

/** An nginx as it comes, in front of the program. @param {import("node:test").TestContext} t @param {string} url */
async function behindNginx(t, url) {
  const [port, directory] = [await freePort(), await temporaryDirectory(t)];
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${directory}/${name};`);
  const settings = `
    daemon off; master_process off; pid ${directory}/pid; error_log stderr;
    events {}
    http {
      access_log off; ${paths.join(" ")}
      server {
        listen 127.0.0.1:${port};
        location / { proxy_pass ${url}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host ${new URL(url).host}; }
      }
    }`;
  await writeFile(join(directory, "nginx.conf"), settings);
  const nginx = spawn(NGINX, ["-c", join(directory, "nginx.conf"), "-p", directory], { stdio: "ignore" });
  afterwards(t, async () => {
    nginx.kill("SIGQUIT");
    if (nginx.exitCode === null) await once(nginx, "exit");
  });
  const proxy = `http://127.0.0.1:${port}`;
  await until("nginx answers", () => fetch(`${proxy}/readyz`).then(({ ok }) => ok, () => false));
  return proxy;
}
