// golang-jwt, for Go, by its own program `jwt`: it needs no compiler.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answer } from "./line.mjs";

/** Runs the program on `input`, with the key in a file, where it looks for one. */
function jwt(key, input, ...args) {
  const folder = mkdtempSync(join(tmpdir(), "jwt-"));
  try {
    const file = join(folder, "key");
    writeFileSync(file, key ?? "", { mode: 0o600 });
    const options = { input, encoding: "utf8", stdio: "pipe" };
    return execFileSync("/usr/bin/jwt", [...args, "-key", file], options).trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await answer({
  sign({ alg, kid, secret, pem, claims }) {
    const header = ["-header", `kid=${kid}`];
    return { token: jwt(secret ?? pem, JSON.stringify(claims), "-alg", alg, ...header, "-sign", "-") };
  },
  verify({ alg, secret, pem, token }) {
    return { claims: JSON.parse(jwt(secret ?? pem, token, "-alg", alg, "-compact", "-verify", "-")) };
  },
});
