/** The visitor API, as a server or a stranger would call it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

/** The session lives, and is of no use to who has nothing but the string. */
export const BOUND = { status: 401, code: "invalid_proof" };

/** What a session is now, to who has nothing but the string: the status and, if refused, the code. @param {string} url @param {string} session */
export async function sessionState(url, session) {
  const answer = await fetch(`${url}/v1/session`, { headers: { authorization: `Bearer ${session}` } });
  const body = await answer.json();
  return { status: answer.status, code: body.error?.code ?? null };
}

/** A visitor without a browser. */
export class ApiVisitor {
  #url;
  #session;

  /** @param {string} url @param {string} session */
  constructor(url, session) {
    this.#url = url;
    this.#session = session;
  }

  /**
   * Makes a session.
   *
   * @param {string} url
   * @param {object} body of `POST /v1/sessions`
   */
  static async enter(url, body) {
    const answer = await fetch(`${url}/v1/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const opened = await answer.json();
    assert.equal(answer.status, 201, JSON.stringify(opened));
    return new ApiVisitor(url, opened.session);
  }

  async #json(method, path, body) {
    const answer = await fetch(`${this.#url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#session}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    const value = await answer.json();
    assert.ok(answer.ok, `${method} ${path}: ${JSON.stringify(value)}`);
    return value;
  }

  /** Opens a conversation and says something in it. @param {string} text @returns {Promise<string>} its id */
  async says(text) {
    const { id } = await this.#json("POST", "/v1/conversations", {});
    await this.#json("POST", `/v1/conversations/${id}/messages`, { id: randomUUID(), text });
    return id;
  }

  /** @param {string} conversation */
  async entries(conversation) {
    const { items } = await this.#json("GET", `/v1/conversations/${conversation}/entries?limit=100`);
    return items;
  }
}
