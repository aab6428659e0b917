/** How the FAKE server checks a proof of possession: as the real one does, in short. */
import { createHash, createPublicKey, verify } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { PublicKey } from "../frame/proof.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("base64url");
const read = (part: string | undefined) => JSON.parse(Buffer.from(part ?? "", "base64url").toString()) as Record<string, unknown>;

export const thumbprint = ({ crv, kty, x, y }: PublicKey): string => sha256(JSON.stringify({ crv, kty, x, y }));

export class Proofs {
  readonly #seen = new Set<string>();
  #slot = 1;

  get nonce(): string {
    return `nonce-${this.#slot}`;
  }

  /** The nonces that were given until now are stale. */
  turn(): void {
    this.#slot++;
  }

  /** The key that the request proves, or the code of what is wrong with it. */
  check(request: IncomingMessage, session: string | null): { key: string } | { code: "invalid_proof" | "use_dpop_nonce" } {
    const wrong = { code: "invalid_proof" } as const;
    const proof = request.headers["dpop"];
    if (typeof proof !== "string") return wrong;
    const [head, body, signature] = proof.split(".");
    const { typ, alg, jwk } = read(head) as { typ: string; alg: string; jwk: PublicKey };
    const { jti, htm, htu, ath, nonce } = read(body);
    const key = createPublicKey({ key: { ...jwk }, format: "jwk" });
    const signed = { key, dsaEncoding: "ieee-p1363" } as const;
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
    const good =
      typ === "dpop+jwt" && alg === "ES256" && htm === request.method && htu === url.origin + url.pathname &&
      ath === (session === null ? undefined : sha256(session)) && typeof jti === "string" && !this.#seen.has(jti) &&
      verify("sha256", Buffer.from(`${head}.${body}`), signed, Buffer.from(signature ?? "", "base64url"));
    if (!good) return wrong;
    if (nonce !== this.nonce) return { code: "use_dpop_nonce" };
    this.#seen.add(jti);
    return { key: thumbprint(jwk) };
  }
}
