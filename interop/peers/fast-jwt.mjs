// fast-jwt, for JavaScript.
import { createSigner, createVerifier } from "fast-jwt";
import { answer } from "./line.mjs";

await answer({
  sign({ alg, kid, secret, pem, claims }) {
    const key = alg === "none" ? undefined : (secret ?? pem);
    return { token: createSigner({ algorithm: alg, key, kid })(claims) };
  },
  verify({ alg, secret, pem, token }) {
    return { claims: createVerifier({ key: secret ?? pem, algorithms: [alg] })(token) };
  },
});
