// `npm run dev`: builds, and serves the widget on a page of its own. Loopback only.
import { rm } from "node:fs/promises";
import { build } from "esbuild";
import "../../build.mjs";

// Beside its source, since it finds `dist` from there.
const outfile = new URL("dev.out.mjs", import.meta.url).pathname;
await build({
  entryPoints: [new URL("dev.ts", import.meta.url).pathname],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  logLevel: "warning",
});
const { startDev } = await import(outfile);
await rm(outfile);
const { site, fake } = await startDev({ chat: 7170, site: 7171 });
fake.talk.pace = 60;
process.stdout.write(`the widget against a FAKE server: ${site}\n`);
