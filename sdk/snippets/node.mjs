// Tells maitred who is logged in. Node.js, with `npm install jsonwebtoken`.
//
// MAITRED_KEY and MAITRED_SECRET: what `maitred key create` printed; the secret
// is used whole, as text. MAITRED_AUDIENCE: the agent's id, in staging with
// `/staging` behind it.
import jwt from "jsonwebtoken";

const { MAITRED_KEY, MAITRED_SECRET, MAITRED_AUDIENCE } = process.env;

/** A token for one user, good for ten minutes. */
export const chatToken = (user) =>
  jwt.sign({ sub: String(user.id), email: user.email, name: user.name }, MAITRED_SECRET, {
    algorithm: "HS256",
    keyid: MAITRED_KEY,
    audience: MAITRED_AUDIENCE,
    expiresIn: 600,
  });

/**
 * Answers GET /chat-token, in Express as in `node:http`. The user comes from your
 * own login session, never from the request's parameters; null is nobody.
 */
export function answerChatToken(user, response) {
  const headers = { "Cache-Control": "private, no-store", "Content-Type": "text/plain" };
  response.writeHead(user ? 200 : 204, headers).end(user ? chatToken(user) : undefined);
}
