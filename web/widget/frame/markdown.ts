/**
 * From what a model wrote to a small tree that the view can draw.
 *
 * An allow-list by construction: the tree has no node for an image, for markup
 * or for a link of an unknown scheme, so there is nothing to filter later (W7).
 * Raw HTML has no meaning here and stays text. Work grows with the length of
 * the text, whatever it holds.
 */

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "break" }
  | { readonly kind: "cite"; readonly number: number }
  | { readonly kind: "em" | "strong" | "del"; readonly inner: readonly Inline[] }
  | { readonly kind: "link"; readonly href: string; readonly inner: readonly Inline[] }
  /** Asks for the form in which an address is proven: no link, and goes nowhere. */
  | { readonly kind: "confirm"; readonly inner: readonly Inline[] };

export type Block =
  | { readonly kind: "paragraph"; readonly inner: readonly Inline[] }
  | { readonly kind: "heading"; readonly level: number; readonly inner: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "rule" }
  | { readonly kind: "quote"; readonly blocks: readonly Block[] }
  | { readonly kind: "list"; readonly start: number | null; readonly items: readonly (readonly Block[])[] }
  | { readonly kind: "table"; readonly head: readonly Cell[]; readonly rows: readonly (readonly Cell[])[] };

type Cell = readonly Inline[];

const MAX_DEPTH = 6;
const MAX_LABEL = 1000;
/** What the agent writes in place of an address, when it asks for proof of one. */
const CONFIRM = "#confirm-email";
const SCHEMES = ["https:", "http:", "mailto:"];

/** The address in a form that may stand in a link, or `null`. */
export function safeHref(raw: string): string | null {
  // Browsers drop tabs and line ends inside a scheme; we drop the link.
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u0020\u007f-\u009f]/.test(raw)) return null;
  try {
    const url = new URL(raw);
    return SCHEMES.includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function parse(text: string): Block[] {
  return blocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);
}

/** Closes what a text that is still being written left open, so that its marks do not flash by. */
export function closed(text: string): string {
  const start = text.lastIndexOf("\n\n") + 1;
  const tail = text.slice(start).replace(/(?<=\s|^)[*_`~]+$/, "");
  const open = ["**", "`"].filter((mark) => tail.split(mark).length % 2 === 0);
  return text.slice(0, start) + (open.length > 0 ? tail.trimEnd() + open.reverse().join("") : tail);
}

/** The words alone, for a line of preview. */
export const plain = (text: string): string => text.replace(/[*_`~#>|]+/g, "").replace(/\s+/g, " ");

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?: +|$)/;
const DIVIDER = /^ {0,3}\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?\s*)?$/;

const isBlank = (line: string) => line.trim() === "";
const startsBlock = (line: string) =>
  FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);

function blocks(lines: readonly string[], depth: number): Block[] {
  const found: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (isBlank(line)) {
      at++;
      continue;
    }
    const [block, next] = blockAt(lines, at, depth);
    found.push(block);
    at = next;
  }
  return found;
}

function blockAt(lines: readonly string[], at: number, depth: number): [Block, number] {
  const line = lines[at] ?? "";
  const fence = FENCE.exec(line)?.[1];
  if (fence) return fenced(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [{ kind: "heading", level: heading[1]?.length ?? 1, inner: inlines(heading[2] ?? "") }, at + 1];
  if (RULE.test(line)) return [{ kind: "rule" }, at + 1];
  if (depth < MAX_DEPTH && QUOTE.test(line)) return quote(lines, at, depth);
  if (depth < MAX_DEPTH && ITEM.test(line)) return list(lines, at, depth);
  if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "")) return table(lines, at);
  return paragraph(lines, at);
}

function fenced(lines: readonly string[], at: number, fence: string): [Block, number] {
  const inside: string[] = [];
  let next = at + 1;
  for (; next < lines.length; next++) {
    const line = (lines[next] ?? "").trim();
    if (line.startsWith(fence) && line === fence.charAt(0).repeat(line.length)) break;
    inside.push(lines[next] ?? "");
  }
  // A fence that is still open while the text streams is code already.
  return [{ kind: "code", text: inside.join("\n") }, next + 1];
}

function quote(lines: readonly string[], at: number, depth: number): [Block, number] {
  const inside: string[] = [];
  let next = at;
  for (; next < lines.length && QUOTE.test(lines[next] ?? ""); next++) inside.push((lines[next] ?? "").replace(QUOTE, ""));
  return [{ kind: "quote", blocks: blocks(inside, depth + 1) }, next];
}

function list(lines: readonly string[], at: number, depth: number): [Block, number] {
  const first = ITEM.exec(lines[at] ?? "")?.[2] ?? "-";
  const ordered = /\d/.test(first);
  const items: Block[][] = [];
  let next = at;
  while (next < lines.length) {
    const marker = ITEM.exec(lines[next] ?? "");
    if (!marker || /\d/.test(marker[2] ?? "") !== ordered || RULE.test(lines[next] ?? "")) break;
    const indent = marker[0].length;
    const inside = [(lines[next] ?? "").slice(indent)];
    next++;
    for (; next < lines.length; next++) {
      const line = lines[next] ?? "";
      const indented = line.length - line.trimStart().length >= Math.min(indent, 2);
      const after = lines[next + 1] ?? "";
      if (isBlank(line) ? isBlank(after) || !/^ {2,}/.test(after) : !indented && (startsBlock(line) || isBlank(lines[next - 1] ?? ""))) break;
      inside.push(indented ? line.slice(Math.min(indent, line.length - line.trimStart().length)) : line);
    }
    items.push(blocks(inside, depth + 1));
    // One empty line between items does not end the list.
    if (isBlank(lines[next] ?? "") && ITEM.test(lines[next + 1] ?? "")) next++;
  }
  return [{ kind: "list", start: ordered ? Number.parseInt(first, 10) : null, items }, next];
}

function cells(line: string): Cell[] {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => inlines(cell.trim().replaceAll("\\|", "|")));
}

function table(lines: readonly string[], at: number): [Block, number] {
  const head = cells(lines[at] ?? "");
  const rows: Cell[][] = [];
  let next = at + 2;
  for (; next < lines.length && (lines[next] ?? "").includes("|"); next++) rows.push(cells(lines[next] ?? "").slice(0, head.length));
  return [{ kind: "table", head, rows }, next];
}

function paragraph(lines: readonly string[], at: number): [Block, number] {
  let next = at + 1;
  while (next < lines.length && !isBlank(lines[next] ?? "") && !startsBlock(lines[next] ?? "")) next++;
  const text = lines.slice(at, next).map((line) => line.trim());
  return [{ kind: "paragraph", inner: inlines(text.join("\n")) }, next];
}

const DELIMITERS = [
  ["**", "strong"],
  ["__", "strong"],
  ["~~", "del"],
  ["*", "em"],
  ["_", "em"],
] as const;

/** Parses a run of text. `depth` bounds nesting, `linked` forbids links within links. */
function inlines(text: string, depth = 0, linked = false): Inline[] {
  const found: Inline[] = [];
  // Delimiters without a closing partner in the rest of the text: not looked for again.
  const dead = new Set<string>();
  let plain = "";
  let at = 0;
  const push = (node: Inline, next: number) => {
    if (plain) found.push({ kind: "text", text: plain });
    plain = "";
    found.push(node);
    at = next;
  };
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === "\\" && /[!-/:-@[-`{-~]/.test(text.charAt(at + 1))) {
      plain += text.charAt(at + 1);
      at += 2;
      continue;
    }
    const node = char === "\n" ? ([{ kind: "break" }, at + 1] as const) : special(text, at, depth, linked, dead);
    if (node) {
      push(node[0], node[1]);
    } else {
      plain += char;
      at++;
    }
  }
  if (plain) found.push({ kind: "text", text: plain });
  return found;
}

type Found = readonly [Inline, number] | null;

function special(text: string, at: number, depth: number, linked: boolean, dead: Set<string>): Found {
  switch (text.charAt(at)) {
    case "`":
      return codeSpan(text, at, dead);
    case "[":
      return linked || depth >= MAX_DEPTH ? null : bracket(text, at, depth);
    case "!":
      // No images: what would be one is a link, which nobody loads unasked.
      return linked || depth >= MAX_DEPTH || text.charAt(at + 1) !== "[" ? null : bracket(text, at + 1, depth);
    case "<":
    case "h":
      return linked ? null : bareLink(text, at);
    case "*":
    case "_":
    case "~":
      return depth >= MAX_DEPTH ? null : emphasis(text, at, depth, linked, dead);
    default:
      return null;
  }
}

function codeSpan(text: string, at: number, dead: Set<string>): Found {
  const ticks = /^`+/.exec(text.slice(at, at + 32))?.[0] ?? "`";
  if (dead.has(ticks)) return null;
  const end = text.indexOf(ticks, at + ticks.length);
  if (end < 0) {
    dead.add(ticks);
    return null;
  }
  return [{ kind: "code", text: text.slice(at + ticks.length, end).replaceAll("\n", " ").replace(/^ (.*) $/, "$1") }, end + ticks.length];
}

function emphasis(text: string, at: number, depth: number, linked: boolean, dead: Set<string>): Found {
  for (const [mark, kind] of DELIMITERS) {
    if (!text.startsWith(mark, at) || dead.has(mark)) continue;
    const start = at + mark.length;
    if (/^(\s|$)/.test(text.charAt(start))) continue;
    if (mark.startsWith("_") && /\w/.test(text.charAt(at - 1))) continue;
    const end = closing(text, start, mark);
    if (end < 0) {
      dead.add(mark);
      continue;
    }
    return [{ kind, inner: inlines(text.slice(start, end), depth + 1, linked) }, end + mark.length];
  }
  return null;
}

function closing(text: string, from: number, mark: string): number {
  const single = mark.length === 1;
  for (let end = text.indexOf(mark, from + 1); end >= 0; end = text.indexOf(mark, end + 1)) {
    const before = text.charAt(end - 1);
    const after = text.charAt(end + mark.length);
    if (/\s/.test(before) || before === "\\") continue;
    if (single && (before === mark || after === mark)) continue;
    if (mark.startsWith("_") && /\w/.test(after)) continue;
    // In a longer run the outer mark is the last: `**a *b***`.
    return !single && after === mark.charAt(0) && text.charAt(end + mark.length + 1) !== after ? end + 1 : end;
  }
  return -1;
}

/** `[label](address)`, or `[1]` for a source. */
function bracket(text: string, at: number, depth: number): Found {
  const cite = /^\[(\d{1,3})\](?!\()/.exec(text.slice(at, at + 7));
  if (cite) return [{ kind: "cite", number: Number(cite[1]) }, at + cite[0].length];
  let open = 0;
  let end = -1;
  for (let i = at; i < text.length && i < at + MAX_LABEL; i++) {
    if (text.charAt(i) === "\\") i++;
    else if (text.charAt(i) === "[") open++;
    else if (text.charAt(i) === "]" && --open === 0) {
      end = i;
      break;
    }
  }
  if (end < 0 || text.charAt(end + 1) !== "(") return null;
  const target = /^\(\s*<?((?:[^\s()<>]|\([^\s()<>]*\)){1,2048})>?(?:\s+"[^"\n]{0,500}")?\s*\)/.exec(text.slice(end + 1, end + 2700));
  if (!target) return null;
  const inner = () => inlines(text.slice(at + 1, end), depth + 1, true);
  const after = end + 1 + target[0].length;
  if (target[1] === CONFIRM) return [{ kind: "confirm", inner: inner() }, after];
  const href = safeHref(target[1] ?? "");
  return href === null ? null : [{ kind: "link", href, inner: inner() }, after];
}

function bareLink(text: string, at: number): Found {
  const window = text.slice(at, at + 2050);
  const angle = /^<((?:https?:\/\/|mailto:)[^\s<>]+)>/i.exec(window);
  const raw = angle?.[1] ?? (/\w/.test(text.charAt(at - 1)) ? undefined : /^https?:\/\/[^\s<>"'`*|]+/.exec(window)?.[0]);
  if (raw === undefined) return null;
  let address = raw;
  if (!angle) {
    address = address.replace(/[.,;:!?\]_~]+$/, "");
    if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
  }
  const href = safeHref(address);
  if (href === null) return null;
  return [{ kind: "link", href, inner: [{ kind: "text", text: address }] }, at + (angle ? angle[0].length : address.length)];
}
