// A visitor without a browser, over connections that stay open.
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { ORIGIN } from "./servers.mjs";

export class Visitor {
  #address;
  #agent = new Agent({ keepAlive: true });
  #session;
  #events;
  #buffer = "";

  /** Opens a session with a token. */
  static async open(address, agent, token) {
    const visitor = new Visitor();
    visitor.#address = address;
    const opened = await visitor.ask("POST", "/v1/sessions", { agent, token, page_origin: ORIGIN });
    visitor.#session = opened.session;
    return visitor;
  }

  /** Asks for something and reads the answer to its end. */
  async ask(method, path, body) {
    const response = await this.#send(method, path, body);
    let text = "";
    for await (const part of response) text += part;
    if (response.statusCode >= 300) throw new Error(`${method} ${path} was answered ${response.statusCode}: ${text}`);
    return text && JSON.parse(text);
  }

  /** Says something in a conversation and waits until the answer is there. */
  async turn(conversation) {
    if (!this.#events) {
      this.#events = (await this.#send("GET", "/v1/events")).setEncoding("utf8")[Symbol.asyncIterator]();
      await this.#next();
    }
    await this.ask("POST", `/v1/conversations/${conversation}/messages`, { id: randomUUID(), text: "Where is my order?" });
    for (;;) {
      const event = await this.#next();
      if (event.name === "entry" && event.data.by === "agent") return;
    }
  }

  #send(method, path, body) {
    const headers = { "content-type": "application/json", ...(this.#session && { authorization: `Bearer ${this.#session}` }) };
    const [host, port] = this.#address.split(":");
    return new Promise((resolve, reject) => {
      const sent = request({ host, port, method, path, headers, agent: this.#agent }, resolve);
      sent.on("error", reject).end(body && JSON.stringify(body));
    });
  }

  async #next() {
    for (;;) {
      const end = this.#buffer.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#buffer.slice(0, end);
        this.#buffer = this.#buffer.slice(end + 2);
        const of = (name) => block.split("\n").find((line) => line.startsWith(name))?.slice(name.length);
        if (of("event: ")) return { name: of("event: "), data: JSON.parse(of("data: ")) };
        continue;
      }
      const { value, done } = await this.#events.next();
      if (done) throw new Error("the stream has ended");
      this.#buffer += value;
    }
  }
}
