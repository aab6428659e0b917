/** The way of one browser to the network, which can be cut, as when a laptop is closed. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import { afterwards } from "./cleanup.mjs";

export class Lid {
  #server = createServer((asked, answer) => this.#forward(asked, answer));
  #isClosed = false;

  /** @param {import("node:test").TestContext} t */
  static async of(t) {
    const lid = new Lid();
    lid.#server.listen(0, "127.0.0.1");
    await once(lid.#server, "listening");
    afterwards(t, () => {
      lid.#server.closeAllConnections();
      lid.#server.close();
    });
    const { port } = /** @type {import("node:net").AddressInfo} */ (lid.#server.address());
    lid.url = `http://127.0.0.1:${port}`;
    return lid;
  }

  /** Every connection breaks, streams in the middle of a word, and no new one comes about. */
  close() {
    this.#isClosed = true;
    this.#server.closeAllConnections();
  }

  open() {
    this.#isClosed = false;
  }

  /** @param {import("node:http").IncomingMessage} asked @param {import("node:http").ServerResponse} answer */
  #forward(asked, answer) {
    if (this.#isClosed) return asked.socket.destroy();
    const onward = request(asked.url ?? "", { method: asked.method, headers: asked.headers }, (came) => {
      answer.writeHead(came.statusCode ?? 502, came.headers);
      answer.flushHeaders();
      came.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    return asked.pipe(onward);
  }
}
