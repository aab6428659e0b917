// Refuses dependencies under licences that nobody looked at, and crates that
// must not come in: a second TLS or crypto stack, mostly.
import { execFileSync } from "node:child_process";

const allowed = new Set([
  "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CDLA-Permissive-2.0",
  "ISC", "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
  "Apache-2.0 WITH LLVM-exception",
]);
const banned = {
  openssl: "TLS is rustls with aws-lc-rs",
  "openssl-sys": "TLS is rustls with aws-lc-rs",
  "native-tls": "TLS is rustls with aws-lc-rs",
  ring: "crypto is aws-lc-rs",
  rsa: "crypto is aws-lc-rs",
  "async-trait": "the language has it",
};

const run = (...args) => execFileSync("cargo", args, { encoding: "utf8", maxBuffer: 1 << 28 });
const { packages } = JSON.parse(run("metadata", "--format-version", "1", "--locked"));
const used = new Set(
  run("tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}")
    .split("\n")
    .map((line) => line.split(" ")[0]),
);

/** Whether an SPDX expression can be met by what is allowed. */
function met(expression) {
  const text = expression.replaceAll("/", " OR ").replace(/\s+/g, " ").trim();
  const parts = split(text, " OR ");
  if (parts.length > 1) return parts.some(met);
  const all = split(text, " AND ");
  if (all.length > 1) return all.every(met);
  if (text.startsWith("(") && text.endsWith(")")) return met(text.slice(1, -1));
  return allowed.has(text);
}

/** Splits at a separator that stands outside of parentheses. */
function split(text, separator) {
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "(") depth++;
    if (text[at] === ")") depth--;
    if (depth === 0 && text.startsWith(separator, at)) {
      parts.push(text.slice(start, at));
      start = at + separator.length;
      at = start - 1;
    }
  }
  return [...parts, text.slice(start)];
}

const faults = [];
for (const { name, version, license } of packages) {
  if (!used.has(name)) continue;
  if (!license || !met(license)) faults.push(`${name} ${version} is under \`${license ?? "no licence"}\``);
  if (name in banned) faults.push(`${name} ${version} must not come in: ${banned[name]}`);
}
for (const fault of faults) console.error(fault);
console.log(`${used.size} crates looked at, ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
