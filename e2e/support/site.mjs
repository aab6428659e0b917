/**
 * A site of the tests' own: a page with the chat, tokens, and an API for an
 * Action that a test can hold open.
 */
import { createHash, createPublicKey, verify } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterwards, temporaryDirectory } from "./cleanup.mjs";
import { runForJson, startServer } from "./maitred.mjs";
import { SARAH } from "./shop.mjs";
import { tokenFor } from "./tokens.mjs";
import { Deferred } from "./until.mjs";

/** @typedef {import("node:test").TestContext} Test */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

/** A place where a request waits until the test lets it go on. */
export class Barrier {
  #reached = new Deferred();
  #opened = new Deferred();
  /** How many came so far. */
  arrivals = 0;

  /** Somebody waits here, or did. */
  get reached() {
    return this.#reached.promise;
  }

  /** Lets everybody through, those who wait and those who will come. */
  open() {
    this.#opened.resolve();
  }

  async pass() {
    this.arrivals += 1;
    this.#reached.resolve();
    await this.#opened.promise;
  }
}

export class Site {
  /** Set by `serves`, when agent and key are known. */
  maitred = "";
  agent = "";
  /** @type {"production" | "staging"} */
  environment = "production";
  /** @type {import("./tokens.mjs").Key} */
  key = { key: "", secret: "" };
  /** What `GET /chat-token` answers: a token, `null` for nobody, or a status. @type {(reason: string) => string | null | number | Promise<string>} */
  chatToken = () => tokenFor(this.key, SARAH);
  /** Another agent, which has a page of its own here. @type {{ agent: string, key: import("./tokens.mjs").Key, chatToken: () => string | null } | null} */
  second = null;
  /** The reasons for which the page asked for a token, oldest first. @type {string[]} */
  reasons = [];
  /** The calls of the Action, oldest first. @type {Request[]} */
  calls = [];
  /** The call of the Action waits here before it is answered. */
  api = new Barrier();
  /** The model's script waits here, wherever it says `hold`. */
  model = new Barrier();

  /** @param {Test} t @param {"production" | "staging"} [environment] */
  static async start(t, environment = "production") {
    const site = new Site();
    site.environment = environment;
    const server = createServer((request, response) => void site.#answer(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    site.host = `localhost:${port}`;
    site.origin = `http://${site.host}`;
    afterwards(t, () => {
      server.closeAllConnections();
      server.close();
    });
    return site;
  }

  /** @param {Request} request @param {Response} response */
  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.origin);
    if (pathname === "/") return response.setHeader("content-type", "text/html").end(this.#page(this.agent, "/chat-token"));
    if (pathname === "/second") return response.setHeader("content-type", "text/html").end(this.#page(this.second?.agent ?? "", "/second-token"));
    if (pathname === "/plain") return response.setHeader("content-type", "text/html").end("<!doctype html><title>No chat here</title><h1>No chat here</h1>");
    if (pathname === "/hold") {
      await this.model.pass();
      return response.end();
    }
    if (pathname === "/second-token") return this.#gives(this.second?.chatToken() ?? null, response);
    if (pathname === "/chat-token") {
      const reason = searchParams.get("reason") ?? "";
      this.reasons.push(reason);
      return this.#gives(await this.chatToken(reason), response);
    }
    if (pathname.startsWith("/api/")) {
      this.calls.push(request);
      await this.api.pass();
      return response.setHeader("content-type", "application/json").end('{"parcel":"on its way"}');
    }
    return response.writeHead(404).end();
  }

  #gives(answer, response) {
    response.setHeader("cache-control", "private, no-store");
    if (typeof answer === "number") response.statusCode = answer;
    else if (answer === null) response.statusCode = 204;
    response.end(typeof answer === "string" ? answer : "");
  }

  #page(agent, tokens) {
    return `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1"><title>A site</title><h1>A site</h1>
      <script src="${this.maitred}/widget.js" data-agent="${agent}" data-environment="${this.environment}" async></script>
      <script>
        window.maitred ??= function () { (maitred.q ??= []).push(arguments) }
        maitred('identify', { getToken: (reason) => fetch('${tokens}?reason=' + reason).then(r =>
          r.status === 204 ? null : r.ok ? r.text() : Promise.reject(r.status)) })
      </script>`;
  }

  /** What an operator would write: an Action that must not be sent twice. */
  action() {
    return {
      name: "parcel",
      description: "Asks for the customer's parcel",
      assurance: "verified",
      idempotent: false,
      labels: { running: "Asking for your parcel…", done: "Asked for your parcel" },
      parameters: { type: "object", properties: {} },
      http: { method: "GET", url: { production: `${this.origin}/api/customers/{{user.id}}/parcel` } },
      template: "Your parcel is {{ result.parcel }}.",
    };
  }
}

/**
 * `maitred serve` for a site, set up as a customer would: by its command line.
 *
 * @param {Test} t
 * @param {Site} site
 * @param {object[]} replies the script of the model
 * @param {Record<string, string>} [environment]
 */
export async function startFor(t, site, replies, environment = {}) {
  const data = await temporaryDirectory(t);
  const file = async (name, value) => {
    const path = join(data, name);
    await writeFile(path, JSON.stringify(value));
    return path;
  };
  const origin = site.environment === "production" ? "--origin" : "--staging-origin";
  const { agent } = await runForJson(["agent", "create", "Site support", origin, site.origin, "--data", data]);
  site.agent = agent;
  site.key = await runForJson(["key", "create", "--agent", agent, "--environment", site.environment, "--data", data]);
  const action = await file("action.json", site.action());
  await runForJson(["action", "import", action, "--agent", agent, "--data", data]);
  const service = await startServer(t, data, {
    MAITRED__OUTBOUND__ALLOW: JSON.stringify([site.host]),
    MAITRED__TESTING__SCRIPT: await file("script.json", { replies }),
    ...environment,
  });
  site.maitred = service.maitred.url;
  return { ...service, data };
}

/**
 * Checks an assertion as a careful receiver would, and gives its claims.
 *
 * @param {string} maitred
 * @param {Request} call
 */
export async function verifiedAssertion(maitred, call) {
  const [header, claims, signature] = String(call.headers["maitred-assertion"]).split(".");
  const read = (part) => JSON.parse(Buffer.from(part, "base64url").toString());
  const { alg, typ, kid } = read(header);
  const { keys } = await (await fetch(`${maitred}/.well-known/jwks.json`)).json();
  const jwk = keys.find((key) => key.kid === kid);
  if (alg !== "EdDSA" || typ !== "maitred-action+jwt" || !jwk) throw new Error("not an assertion of this server's");
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const good = verify(null, Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, "base64url"));
  if (!good) throw new Error("the signature is wrong");
  return read(claims);
}

export const sha256 = (text) => createHash("sha256").update(text).digest("base64url");
