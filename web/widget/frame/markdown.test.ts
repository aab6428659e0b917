import { describe, expect, it } from "vitest";
import { closed, parse, plain, safeHref, type Block, type Inline } from "./markdown.ts";

/** The tree as a line of text: easy to read, and hides nothing. */
function print(nodes: readonly (Block | Inline)[]): string {
  return nodes.map(printOne).join("");
}

function printOne(node: Block | Inline): string {
  switch (node.kind) {
    case "text":
      return node.text;
    case "break":
      return "⏎";
    case "rule":
      return "{rule}";
    case "cite":
      return `{cite ${node.number}}`;
    case "code":
      return `{code ${node.text}}`;
    case "link":
      return `{link ${node.href} ${print(node.inner)}}`;
    case "heading":
      return `{h${node.level} ${print(node.inner)}}`;
    case "quote":
      return `{quote ${print(node.blocks)}}`;
    case "list":
      return `{list${node.start === null ? "" : ` ${node.start}`}${node.items.map((item) => ` [${print(item)}]`).join("")}}`;
    case "table":
      return `{table ${[node.head, ...node.rows].map((row) => row.map(print).join("|")).join(" / ")}}`;
    case "paragraph":
      return `{p ${print(node.inner)}}`;
    default:
      return `{${node.kind} ${print(node.inner)}}`;
  }
}

const read = (text: string) => print(parse(text));

describe("markdown", () => {
  it.each([
    ["plain", "{p plain}"],
    ["one\ntwo\n\nthree", "{p one⏎two}{p three}"],
    ["**bold** *em* _em_ ~~gone~~ `x < y`", "{p {strong bold} {em em} {em em} {del gone} {code x < y}}"],
    ["**bold *and em***", "{p {strong bold {em and em}}}"],
    ["2 * 3 * 4 and snake_case_name", "{p 2 * 3 * 4 and snake_case_name}"],
    ["\\*not em\\*", "{p *not em*}"],
    ["# One\n### Three #", "{h1 One}{h3 Three}"],
    ["- a\n- b\n  - c\n\n- d", "{list [{p a}] [{p b}{list [{p c}]}] [{p d}]}"],
    ["3. a\n4. b", "{list 3 [{p a}] [{p b}]}"],
    ["> quoted\n> on\n\nout", "{quote {p quoted⏎on}}{p out}"],
    ["```js\nlet a = `1`;\n<b>\n```\nafter", "{code let a = `1`;\n<b>}{p after}"],
    ["```\nstill open", "{code still open}"],
    ["---", "{rule}"],
    ["| a | b |\n|---|:-:|\n| 1 | **2** |\n| x \\| y | z | extra |", "{table a|b / 1|{strong 2} / x | y|z}"],
    ["[shop](https://shop.example/a_(b)) ok", "{p {link https://shop.example/a_(b) shop} ok}"],
    ["see https://shop.example/x. Or (https://a.example)!", "{p see {link https://shop.example/x https://shop.example/x}. Or ({link https://a.example/ https://a.example})!}"],
    ["<mailto:help@shop.example>", "{p {link mailto:help@shop.example mailto:help@shop.example}}"],
    ["As said [1], and [12].", "{p As said {cite 1}, and {cite 12}.}"],
  ])("reads %j", (text, tree) => {
    expect(read(text)).toBe(tree);
  });

  it.each([
    ["<script>alert(1)</script>", "{p <script>alert(1)</script>}"],
    ["<img src=x onerror=alert(1)>", "{p <img src=x onerror=alert(1)>}"],
    ["[x](javascript:alert(1))", "{p [x](javascript:alert(1))}"],
    ["[x](JaVaScRiPt:alert(1))", "{p [x](JaVaScRiPt:alert(1))}"],
    ["[x](java\tscript:alert(1))", "{p [x](java\tscript:alert(1))}"],
    ["[x](java&#10;script:alert(1))", "{p [x](java&#10;script:alert(1))}"],
    ["[x](data:text/html;base64,PHNjcmlwdD4=)", "{p [x](data:text/html;base64,PHNjcmlwdD4=)}"],
    ["[x](vbscript:x) [y](file:///etc/passwd) [z](//evil.example) [r](/relative)", "{p [x](vbscript:x) [y](file:///etc/passwd) [z](//evil.example) [r](/relative)}"],
    ["[x](<javascript:alert(1)>)", "{p [x](<javascript:alert(1)>)}"],
    ["<javascript:alert(1)>", "{p <javascript:alert(1)>}"],
    ["![pixel](https://evil.example/p.gif?secret)", "{p {link https://evil.example/p.gif?secret pixel}}"],
    ["[![pixel](https://evil.example/p.gif)](https://evil.example)", "{p {link https://evil.example/ ![pixel](https://evil.example/p.gif)}}"],
    ["[a [b](https://b.example) c](https://a.example)", "{p {link https://a.example/ a [b](https://b.example) c}}"],
    ['[x](https://a.example "t\\" onmouseover=alert(1)")', '{p [x]({link https://a.example/ https://a.example} "t" onmouseover=alert(1)")}'],
  ])("makes nothing of %j", (text, tree) => {
    expect(read(text)).toBe(tree);
  });

  it("stops at a depth", () => {
    expect(() => parse(`${"> ".repeat(5000)}deep`)).not.toThrow();
    expect(() => parse("*a **b ".repeat(2000) + "** *".repeat(2000))).not.toThrow();
    expect(() => parse("- ".repeat(5000))).not.toThrow();
  });

  it.each(["*", "_", "**a ", "[", "![", "`", "``a", "<", "h", "https://", "|", "> ", "- ", "[a](", "~~", "\\", "1. "])(
    "comes to an end on 64 KiB of %j",
    (piece) => {
      // Work that grew with the square of this would outlast the test's time limit.
      expect(parse(piece.repeat((64 * 1024) / piece.length))).not.toEqual([]);
    },
  );
});

describe("an address", () => {
  it.each([
    ["https://shop.example/x?y#z", "https://shop.example/x?y#z"],
    ["http://localhost:7071/", "http://localhost:7071/"],
    ["mailto:a@b.example", "mailto:a@b.example"],
    ["javascript:alert(1)", null],
    [" https://shop.example", null],
    ["https://shop.example\u0000", null],
    ["relative", null],
    ["", null],
  ])("%j is %j", (raw, href) => {
    expect(safeHref(raw)).toBe(href);
  });
});

describe("a text that is still being written", () => {
  it.each([
    ["within **30", "within **30**"],
    ["within **30 days**", "within **30 days**"],
    ["within **30 ", "within **30**"],
    ["within **", "within "],
    ["run `npm", "run `npm`"],
    ["**bold `code", "**bold `code`**"],
    ["a ** b\n\nnext **bo", "a ** b\n\nnext **bo**"],
    ["plain", "plain"],
  ])("%j is shown as %j", (text, shown) => {
    expect(closed(text)).toBe(shown);
  });

  it("loses its marks in a preview", () => {
    expect(plain("## Yes:\n> **30** days")).toBe(" Yes: 30 days");
  });
});
