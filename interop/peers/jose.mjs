// jose, for JavaScript.
import { createSecretKey } from "node:crypto";
import { SignJWT, UnsecuredJWT, importJWK, importPKCS8, jwtVerify } from "jose";
import { answer } from "./line.mjs";

await answer({
  async sign({ alg, kid, secret, pem, claims }) {
    if (alg === "none") return { token: new UnsecuredJWT(claims).encode() };
    const key = secret === undefined ? await importPKCS8(pem, alg) : createSecretKey(secret, "utf8");
    return { token: await new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key) };
  },
  async verify({ alg, secret, jwk, token }) {
    const key = secret === undefined ? await importJWK(jwk, alg) : createSecretKey(secret, "utf8");
    const { payload } = await jwtVerify(token, key, { algorithms: [alg] });
    return { claims: payload };
  },
});
