// Budgets that are counts: what a visitor downloads, compressed as a server would.
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const budgets = [
  { name: "loader", files: ["widget.js"], limit: 4096 },
  { name: "loader and chat", files: ["widget.js", "frame.js", "frame.css"], limit: 40960 },
];

const size = (file) =>
  brotliCompressSync(readFileSync(new URL(`dist/${file}`, import.meta.url)), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11 },
  }).length;

let over = false;
for (const { name, files, limit } of budgets) {
  const bytes = files.reduce((sum, file) => sum + size(file), 0);
  const verdict = bytes > limit ? "OVER" : "ok";
  over ||= bytes > limit;
  process.stdout.write(`${verdict.padEnd(5)} ${name.padEnd(16)} ${bytes} of ${limit} bytes (brotli)\n`);
}
process.exitCode = over ? 1 : 0;
