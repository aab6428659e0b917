// jose, for JavaScript.
import { createSecretKey } from "node:crypto";
import { importSPKI, jwtVerify } from "jose";
import { answer } from "./measure.mjs";

await answer(async ({ alg, secret, pem, token }) => {
  const key = secret ? createSecretKey(secret, "utf8") : await importSPKI(pem, alg);
  return () => jwtVerify(token, key, { algorithms: [alg] });
});
