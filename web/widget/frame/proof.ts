/**
 * Proof that a request comes from the browser that its session was made in (S4).
 *
 * A session string that was copied is worth nothing without the key, and no
 * script can read the key, ours neither: it can only ask for signatures.
 */

/** The public half, as the server gets it. */
export type PublicKey = { readonly kty: "EC"; readonly crv: "P-256"; readonly x: string; readonly y: string };

/** What a proof is for. */
export type Occasion = {
  readonly method: string;
  /** With the origin; a query is left out of the proof. */
  readonly url: URL;
  readonly session: string | undefined;
  /** The server's latest; it refuses a proof with none, and gives one then. */
  readonly nonce: string | undefined;
};

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;

const utf8 = (text: string) => new TextEncoder().encode(text);

const base64url = (bytes: ArrayBuffer | Uint8Array): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

const part = (value: object): string => base64url(utf8(JSON.stringify(value)));

export class ProofKey {
  constructor(
    readonly pair: CryptoKeyPair,
    readonly jwk: PublicKey,
  ) {}

  static async make(): Promise<ProofKey> {
    const pair = await crypto.subtle.generateKey(CURVE, false, ["sign"]);
    const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
    return new ProofKey(pair, { kty: "EC", crv: "P-256", x, y });
  }

  isSameAs(other: ProofKey): boolean {
    return this.jwk.x === other.jwk.x && this.jwk.y === other.jwk.y;
  }

  /** The `DPoP` header for one request. Never the same twice. */
  async proves({ method, url, session, nonce }: Occasion): Promise<string> {
    const header = { typ: "dpop+jwt", alg: "ES256", jwk: this.jwk };
    // No `iat`: the nonce tells the time, and visitors' clocks are wrong.
    const claims = {
      jti: base64url(crypto.getRandomValues(new Uint8Array(16))),
      htm: method,
      htu: url.origin + url.pathname,
      ...(session !== undefined && { ath: base64url(await crypto.subtle.digest("SHA-256", utf8(session))) }),
      ...(nonce !== undefined && { nonce }),
    };
    const signed = `${part(header)}.${part(claims)}`;
    return `${signed}.${base64url(await crypto.subtle.sign(SIGNATURE, this.pair.privateKey, utf8(signed)))}`;
  }
}
