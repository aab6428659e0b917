// jsonwebtoken, for JavaScript.
import jwt from "jsonwebtoken";
import { answer } from "./line.mjs";

await answer({
  sign({ alg, kid, secret, pem, claims }) {
    const key = alg === "none" ? "" : (secret ?? pem);
    return { token: jwt.sign(claims, key, { algorithm: alg, keyid: kid }) };
  },
  verify({ alg, secret, pem, token }) {
    return { claims: jwt.verify(token, secret ?? pem, { algorithms: [alg] }) };
  },
});
