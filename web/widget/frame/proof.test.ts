/** S4: what a proof says, and that it is one. */
import { createHash, createPublicKey, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ProofKey, type Occasion } from "./proof.ts";

const occasion = (changes: Partial<Occasion> = {}): Occasion => ({
  method: "GET",
  url: new URL("https://support.example/v1/conversations?limit=50"),
  session: "mtd_session_x",
  nonce: "n-1",
  ...changes,
});
const read = (part = "") => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;

async function proofOf(key: ProofKey, changes?: Partial<Occasion>) {
  const [head, body, signature] = (await key.proves(occasion(changes))).split(".");
  return { header: read(head), claims: read(body), signed: `${head}.${body}`, signature: Buffer.from(signature ?? "", "base64url") };
}

describe("a proof, S4", () => {
  it("says what it is for, and nothing else", async () => {
    const key = await ProofKey.make();

    const { header, claims } = await proofOf(key);

    expect(header).toEqual({ typ: "dpop+jwt", alg: "ES256", jwk: key.jwk });
    expect(claims).toEqual({
      jti: expect.stringMatching(/^[\w-]{22}$/) as string,
      htm: "GET",
      htu: "https://support.example/v1/conversations",
      ath: createHash("sha256").update("mtd_session_x").digest("base64url"),
      nonce: "n-1",
    });
  });

  it("is signed by the key that it names", async () => {
    const key = await ProofKey.make();

    const { signed, signature } = await proofOf(key);

    const jwk = createPublicKey({ key: { ...key.jwk }, format: "jwk" });
    expect(signature).toHaveLength(64);
    expect(verify("sha256", Buffer.from(signed), { key: jwk, dsaEncoding: "ieee-p1363" }, signature)).toBe(true);
  });

  it("leaves out what there is not", async () => {
    const { claims } = await proofOf(await ProofKey.make(), { session: undefined, nonce: undefined });

    expect(Object.keys(claims)).toEqual(["jti", "htm", "htu"]);
  });

  it("is never the same twice", async () => {
    const key = await ProofKey.make();

    const proofs = await Promise.all(Array.from({ length: 20 }, () => proofOf(key)));

    expect(new Set(proofs.map(({ claims }) => claims["jti"])).size).toBe(20);
  });

  it("is made with a key that no script can read", async () => {
    const { pair } = await ProofKey.make();

    expect(pair.privateKey.extractable).toBe(false);
    await expect(crypto.subtle.exportKey("jwk", pair.privateKey)).rejects.toThrow();
    await expect(crypto.subtle.exportKey("pkcs8", pair.privateKey)).rejects.toThrow();
  });
});
