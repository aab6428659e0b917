/**
 * A FAKE of the visitor API, for tests of the widget and for its dev page.
 *
 * It keeps everything in memory, believes tokens of the form `token:<subject>:<name>`,
 * and answers from a short script. It is never part of a build. The real server
 * is what the browser suite runs against.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { randomUUID } from "node:crypto";
import type { Agent, Contact, Opened, Problem, ProofPolicy, PublicAgent, SessionView } from "../../protocol/index.ts";
import type { PublicKey } from "../frame/proof.ts";
import { Proofs, thumbprint } from "./proofs.ts";
import { Talk, type Owner, type Reply } from "./talk.ts";

type Held = { owner: Owner; visitor: string | null; key: string | null };
type Stream = { session: string; owner: Owner; response: ServerResponse };
type Body = Record<string, string> & { key?: PublicKey };
/** One answer that a test wants instead of the usual one. */
type Trap = { method: string; path: RegExp; act: "drop" | { status: number; error: Problem } | { late: Promise<void> } | (() => Promise<void>) };

export type Seen = { method: string; path: string; query: string; session: string | null; proof: string | null; body: Readonly<Record<string, unknown>> };

const OFFICIAL: Agent = {
  id: "agt_fake",
  environment: "production",
  name: "Ada",
  suggestions: ["Where is my order?", "How do returns work?", "Which sizes do you have?"],
  sign_in_url: "https://shop.example/login",
  appearance: { accent: "#2a5f50", position: "right" },
};

class No extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.code);
  }
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

const no = (status: number, code: string, message: string, hint?: string) => new No(status, { code, message, ...(hint && { hint }) });

export class FakeServer {
  readonly seen: Seen[] = [];
  readonly proofs = new Proofs();
  readonly agent = { ...OFFICIAL };
  /** What only the public view of the agent tells. */
  readonly open: Omit<PublicAgent, keyof Agent> & { proof_of_possession: ProofPolicy } = {
    greeting: "Hi, how can I help you today?", enforcement: "optional", proof_of_possession: "when_available", codes: true, one_time_tokens: false,
  };
  /** The member of staff who acts as whoever signs in. */
  actor: string | null = null;
  /** The address of whoever signs in, if the site does not vouch for it. */
  claimedEmail: string | null = null;
  /** The code that every address is sent. */
  code = "246810";
  /** How long sessions last, and when they want to be renewed, in seconds. */
  lasts = 25 * 60;
  renewsAfter = 10 * 60;
  readonly talk = new Talk((...told) => this.#tell(...told), (...told) => this.#whisper(...told), no);
  #server: Server;
  #sessions = new Map<string, Held>();
  #owners = new Map<string, Owner>();
  #streams = new Set<Stream>();
  #traps: Trap[] = [];
  #away = new Set<string>();
  #count = 0;

  constructor(private readonly pages: (request: IncomingMessage, response: ServerResponse) => boolean = () => false) {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address ? address.port : port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get public(): PublicAgent {
    return { ...this.agent, ...this.open };
  }

  /** The next request of this kind meets `act` instead. */
  trap(method: string, path: RegExp, act: Trap["act"]): void {
    this.#traps.push({ method, path, act });
  }

  /** Ends all sessions of a subject, as an operator would. */
  revoke(subject: string, code = "session_revoked"): void {
    for (const [session, held] of this.#sessions) {
      if (held.owner.contact?.id === `cnt_${subject}`) this.#endSession(session, code);
    }
  }

  /** Forgets all sessions of a subject, without a word. */
  lose(subject: string): void {
    for (const [session, held] of this.#sessions) if (held.owner.contact?.id === `cnt_${subject}`) this.#sessions.delete(session);
  }

  /** Cuts every stream in the middle of an event. */
  cutStreams(): void {
    for (const { response } of this.#streams) {
      response.write("event: ent");
      response.destroy();
    }
  }

  /** The device of that session is off the network, from now on and until it is `back`. */
  away(session: string): void {
    this.#away.add(session);
    for (const stream of this.#streams) if (stream.session === session) stream.response.destroy();
  }

  back(session: string): void {
    this.#away.delete(session);
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  get sessions(): readonly string[] {
    return [...this.#sessions.keys()];
  }

  /** Something an operator says in the latest conversation of a subject, or in that one. */
  say(subject: string, text: string, conversation?: string): void {
    this.talk.say(`cnt_${subject}`, text, conversation);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    if (!url.pathname.startsWith("/v1/")) {
      if (!this.pages(request, response)) response.writeHead(404).end();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = text === "" ? {} : (JSON.parse(text) as Body);
    const { dpop } = request.headers;
    const session = request.headers.authorization?.replace("Bearer ", "") ?? null;
    const method = request.method ?? "GET";
    if (session !== null && this.#away.has(session)) return void response.destroy();
    this.seen.push({ method, path: url.pathname, query: url.search, session, proof: typeof dpop === "string" ? dpop : null, body });
    response.setHeader("dpop-nonce", this.proofs.nonce);
    const at = this.#traps.findIndex((trap) => trap.method === method && trap.path.test(url.pathname));
    const trap = at < 0 ? undefined : this.#traps.splice(at, 1)[0];
    try {
      if (trap?.act === "drop") return void response.destroy();
      if (typeof trap?.act === "function") await trap.act();
      else if (trap && "status" in trap.act) throw new No(trap.act.status, trap.act.error);
      const [status, answer, headers] = this.#route(method, url, session, body, request, response);
      if (status === 0) return;
      // What is answered was so when it was asked.
      if (trap && typeof trap.act === "object" && "late" in trap.act) await trap.act.late;
      if (url.pathname === "/v1/session/identity") await new Promise((resolve) => setTimeout(resolve, 20));
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(typeof answer === "string" || answer === undefined ? answer : JSON.stringify(answer));
    } catch (error) {
      const refused = error instanceof No ? error : no(500, "internal", String(error));
      response.writeHead(refused.status, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { ...refused.problem, request_id: "req_fake" } }));
    }
  }

  #route(method: string, url: URL, session: string | null, body: Body, request: IncomingMessage, response: ServerResponse): Reply {
    const path = url.pathname;
    if (method === "GET" && path.startsWith("/v1/agents/")) return [200, this.public];
    if (method === "POST" && path === "/v1/sessions") return [201, this.#open(body, this.#boundTo(request, body))];
    const held = session === null ? undefined : this.#sessions.get(session);
    if (!held || session === null) throw no(401, "unauthorized", "no such session");
    if (held.key !== null && this.#proven(request, session) !== held.key) throw no(401, "invalid_proof", "another key");
    if (path === "/v1/session/identity") return [200, this.#identify(session, held, body)];
    if (path === "/v1/session" && method === "DELETE") {
      this.#endSession(session, "session_revoked");
      return [204];
    }
    if (path === "/v1/code") return [202, { expires_at: inSeconds(600) }];
    if (path === "/v1/code/verification") return [200, this.#verified(held.owner, body["code"] ?? "")];
    if (path === "/v1/events") {
      this.#stream(session, held.owner, request, response);
      return [0];
    }
    if (path === "/v1/visitor" && method === "DELETE") return this.#forget(held.owner);
    return this.talk.answer(method, url, held.owner, session, body);
  }

  #verified(owner: Owner, code: string): SessionView {
    if (code !== this.code) throw no(401, "wrong_code", "the code is wrong");
    const sent = this.seen.findLast((s) => s.path === "/v1/code")?.body["email"];
    return { expires_at: inSeconds(this.lasts), assurance: owner.contact ? "verified" : "code", proven: { email: String(sent), expires_at: inSeconds(1800) } };
  }

  #forget(owner: Owner): Reply {
    if (this.actor !== null && owner.contact) throw no(403, "actor_may_not", "only the visitor may");
    this.talk.forget(owner);
    this.#owners.delete(owner.name);
    for (const [session, held] of this.#sessions) if (held.owner === owner) this.#endSession(session, "session_revoked");
    return [204];
  }

  #subject(token: string): Contact {
    const [kind, subject, name] = token.split(":");
    if (kind === "expired") throw no(401, "token_expired", "the token expired 3 min ago", "your server's clock is 4 min behind");
    if (kind !== "token" || !subject) throw no(401, "invalid_token", "the token was not accepted");
    return { id: `cnt_${subject}`, name: name ?? null };
  }

  #owner(name: string, contact: Contact | null): Owner {
    const owner = this.#owners.get(name) ?? { name, contact, number: 0, epoch: randomUUID().slice(0, 8), log: [] };
    this.#owners.set(name, owner);
    return owner;
  }

  #proven(request: IncomingMessage, session: string | null): string {
    const checked = this.proofs.check(request, session);
    if ("code" in checked) throw no(401, checked.code, "the proof was not accepted");
    return checked.key;
  }

  /** The key that a new session is to be bound to. */
  #boundTo(request: IncomingMessage, { key }: Body): string | null {
    const policy = this.open.proof_of_possession;
    if (policy === "required" && !key) throw no(400, "secure_context_needed", "this chat needs a secure page", "serve the page over https");
    if (policy === "off" || !key) return null;
    if (this.#proven(request, null) !== thumbprint(key)) throw no(401, "invalid_proof", "another key");
    return thumbprint(key);
  }

  #open(body: Body, key: string | null): Opened {
    const contact = body["token"] === undefined ? null : this.#subject(body["token"]);
    const before = this.#owners.get(body["visitor"] ?? "");
    const known = before && (before.proof ?? null) === key ? before.name : null;
    if (!contact) {
      const visitor = known ?? `mtd_visitor_${++this.#count}`;
      const owner = this.#owner(visitor, null);
      owner.proof = key;
      return this.#opened({ owner, visitor, key });
    }
    const owner = this.#owner(contact.id, contact);
    if (known !== null) this.#move(this.#owner(known, null), owner, body["conversation"]);
    return this.#opened({ owner, visitor: null, key });
  }

  #identify(session: string, held: Held, { token = "", conversation }: Body): Opened {
    const contact = this.#subject(token);
    if (held.owner.contact?.id === contact.id) return { ...this.#opened(held, session) };
    if (held.owner.contact) throw no(409, "identity_mismatch", "the token is for another subject");
    const owner = this.#owner(contact.id, contact);
    this.#move(held.owner, owner, conversation);
    // The old stream hears of it before the answer is there: the harder order of the two.
    this.#endSession(session, "session_revoked");
    return this.#opened({ owner, visitor: null, key: held.key });
  }

  /** The anonymous visitor's conversation goes over to the contact. */
  #move(from: Owner, to: Owner, open: string | undefined): void {
    this.talk.move(from, to, open);
    this.#owners.delete(from.name);
  }

  #opened(held: Held, session = `mtd_session_${++this.#count}`): Opened {
    this.#sessions.set(session, held);
    const { owner, visitor } = held;
    const conversation = this.talk.latest(owner);
    const first = owner.contact?.name?.split(" ")[0];
    return {
      session,
      expires_at: inSeconds(this.lasts),
      ...(owner.contact && { renew_at: inSeconds(this.renewsAfter) }),
      assurance: owner.contact ? "verified" : "anonymous",
      ...(owner.contact && { contact: owner.contact }),
      ...(owner.contact && this.actor !== null && { actor: { id: this.actor } }),
      ...(owner.contact && this.claimedEmail !== null && { claimed_email: this.claimedEmail }),
      ...(visitor !== null && { visitor }),
      greeting: first ? `Hi ${first}, how can I help you today?` : "Hi, how can I help you today?",
      ...(conversation && { conversation }),
      agent: this.agent,
    };
  }

  #endSession(session: string, code: string): void {
    this.#sessions.delete(session);
    for (const stream of this.#streams) {
      if (stream.session !== session) continue;
      stream.response.write(`event: session\ndata: ${JSON.stringify({ state: "ended", code })}\n\n`);
      stream.response.end();
    }
  }

  #tell(owner: Owner, event: string, data: unknown): void {
    const told = { id: `${owner.epoch}:${++owner.number}`, event, data };
    owner.log.push(told);
    for (const stream of this.#streams) if (stream.owner === owner) write(stream.response, told);
  }

  #whisper(owner: Owner, event: string, data: unknown, except?: string): void {
    for (const stream of this.#streams) if (stream.owner === owner && stream.session !== except) write(stream.response, { event, data });
  }

  #stream(session: string, owner: Owner, request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const last = request.headers["last-event-id"];
    if (typeof last === "string" && last.startsWith(`${owner.epoch}:`)) {
      for (const told of owner.log.filter((t) => Number(t.id.split(":")[1]) > Number(last.split(":")[1]))) write(response, told);
    } else {
      write(response, { event: last === undefined ? "hello" : "resync", id: `${owner.epoch}:${owner.number}`, data: {} });
    }
    response.write(": here\n\n");
    const stream = { session, owner, response };
    this.#streams.add(stream);
    response.on("close", () => this.#streams.delete(stream));
  }
}

function write(response: ServerResponse, { id, event, data }: { id?: string; event: string; data: unknown }): void {
  response.write(`event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
}
