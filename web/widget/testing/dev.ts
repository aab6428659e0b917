/**
 * A page to try the widget on, against the FAKE server.
 *
 * Two origins, as in life: the chat's, and a site's with the strictest policy
 * that the widget promises to work under (W2).
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { readFileSync } from "node:fs";
import { FakeServer } from "./fake.ts";

const DIST = new URL("../../dist/", import.meta.url);
const TYPES: { readonly [end: string]: string } = { js: "text/javascript", css: "text/css" };

function framePolicy(site: string): string {
  return [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "base-uri 'none'", "form-action 'none'", "object-src 'none'", `frame-ancestors ${site}`,
    "require-trusted-types-for 'script'", "trusted-types 'none'",
  ].join("; ");
}

const frame = (nonce: string) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="dpop-nonce" content="${nonce}"><meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"><title>Chat</title><link rel="stylesheet" href="/frame.css"></head><body><div id="chat"></div><script src="/frame.js" type="module"></script></body></html>`;

const page = (chat: string, attributes: string) => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>A site</title>
<script nonce="dev" src="${chat}/widget.js" data-agent="agt_fake" ${attributes} async></script>
</head><body><main><h1>A site</h1>
<p>Try in the console: <code>maitred("identify", { token: "token:sarah:Sarah Miller" })</code>, <code>"expired:"</code>, <code>maitred("logout")</code>.</p>
</main></body></html>`;

/** Starts both origins; `site` is where to look. */
export async function startDev(ports: { chat: number; site: number }) {
  let site = "";
  const assets = (request: IncomingMessage, response: ServerResponse): boolean => {
    const path = new URL(request.url ?? "/", "http://dev").pathname;
    if (path.startsWith("/frame/")) {
      response.writeHead(200, { "content-type": "text/html", "content-security-policy": framePolicy(site), "referrer-policy": "no-referrer" });
      response.end(frame(fake.proofs.nonce));
      return true;
    }
    const file = /^\/(widget\.js|frame\.js|frame\.css)$/.exec(path)?.[1];
    if (!file) return false;
    response.writeHead(200, { "content-type": TYPES[file.split(".")[1] ?? ""] ?? "", "x-content-type-options": "nosniff" });
    response.end(readFileSync(new URL(file, DIST)));
    return true;
  };
  const fake = new FakeServer(assets);
  const chat = await fake.listen(ports.chat);
  const host = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://dev");
    const policy = `default-src 'none'; script-src 'nonce-dev' 'strict-dynamic'; frame-src ${chat}; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'`;
    const attributes = [...url.searchParams].map(([name, value]) => `${name.replaceAll(/[^a-z-]/g, "")}="${value.replaceAll(/[^\w:. -]/g, "")}"`);
    response.writeHead(200, { "content-type": "text/html", "content-security-policy": policy });
    response.end(page(chat, attributes.join(" ")));
  });
  await new Promise<void>((resolve) => host.listen(ports.site, "127.0.0.1", resolve));
  const address = host.address();
  // Another host than the chat's, so that storage is partitioned as it is on a customer's site.
  site = `http://localhost:${typeof address === "object" && address ? address.port : ports.site}`;
  const stop = async () => {
    host.closeAllConnections();
    host.close();
    await fake.close();
  };
  return { fake, chat, site, stop };
}
