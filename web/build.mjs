// Builds what the binary embeds: dist/widget.js, dist/frame.js, dist/frame.css.
// The same sources and lock file give the same bytes; `scripts/check` relies on it.
import { build } from "esbuild";

const shared = {
  absWorkingDir: import.meta.dirname,
  bundle: true,
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  target: ["es2022", "chrome111", "firefox115", "safari16.4"],
};

await Promise.all([
  build({ ...shared, entryPoints: ["widget/loader.ts"], outfile: "dist/widget.js", format: "iife" }),
  build({
    ...shared,
    entryPoints: ["widget/frame/main.tsx"],
    outfile: "dist/frame.js",
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
  }),
  build({ ...shared, entryPoints: ["widget/frame/frame.css"], outfile: "dist/frame.css" }),
]);
