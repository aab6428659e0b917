/** What a token is exchanged with: the requests that make sessions, raise them, renew them and end them. */
import type { Opened } from "../../protocol/index.ts";
import { persist, Refused, type Api, type Pass } from "./api.ts";
import type { Keyring } from "./keyring.ts";
import type { ProofKey } from "./proof.ts";
import type { Keep } from "./storage.ts";
import type { Store } from "./store.ts";
import type { Visit } from "./visit.ts";

export type Place = { readonly agent: string; readonly environment: string; readonly page_origin: string };

export type Means = {
  readonly api: Api;
  readonly store: Store;
  readonly keep: Keep;
  readonly keyring: Keyring;
  readonly place: Place;
};

/** A session, and the key that it is bound to. */
export type Made = { readonly opened: Opened; readonly key: ProofKey | null };

const TRIES = 4;

export class Exchange {
  constructor(private readonly means: Means) {}

  /** Makes a session: for the visitor of the token, or an anonymous one. */
  async open(token: string | null): Promise<Made> {
    const { api, keep, keyring, place, store } = this.means;
    const wanted = api.takesProofs && store.state.agent?.proof_of_possession !== "off";
    const key = wanted ? await keyring.key() : null;
    const visitor = keep.read("visitor");
    const body = {
      ...place,
      ...(token !== null && { token }),
      ...(visitor !== null && { visitor }),
      ...(token !== null && visitor !== null && this.#begun()),
      ...(key && { key: key.jwk }),
    };
    try {
      return { opened: await persist(() => api.json<Opened>("POST", "/v1/sessions", { body, key }), TRIES), key };
    } catch (error) {
      if (visitor === null || !(error instanceof Refused && error.isSessionGone)) throw error;
      keep.clear("visitor");
      return this.open(token);
    }
  }

  /** Shows the token of a session that there is: it rises, is renewed, or is another's. */
  identify(visit: Visit, token: string): Promise<Opened> {
    const ask = { ...visit.pass, body: { token, ...this.#begun() } };
    return persist(() => this.means.api.json<Opened>("POST", "/v1/session/identity", ask), TRIES, visit.signal);
  }

  /** The conversation of an anonymous visitor that is open here: this one may come along, and no other (M1). */
  #begun(): { readonly conversation?: string } {
    const { phase, conversation, held } = this.means.store.state;
    if (phase.name === "live" && phase.contact) return {};
    const open = held ? (held.owner === "anonymous" ? held.conversation : null) : conversation;
    return open ? { conversation: open.id } : {};
  }

  /** The session is wanted no more. */
  async end(pass: Pass): Promise<void> {
    try {
      await this.means.api.send("DELETE", "/v1/session", { ...pass, keepalive: true });
    } catch {
      // It ends by itself; nothing here uses it any more.
    }
  }

  /** Erases all that is kept of whom the session is of, with the session (D7). */
  async erase(pass: Pass): Promise<void> {
    let asked = 0;
    const ask = async () => {
      asked++;
      try {
        await this.means.api.send("DELETE", "/v1/visitor", pass);
      } catch (error) {
        // The answer to the first time got lost, and the session is gone with the rest.
        if (!(asked > 1 && error instanceof Refused && error.isSessionGone)) throw error;
      }
    };
    await persist(ask, TRIES);
  }
}
