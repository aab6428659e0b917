// Maps the rules in docs/rules to the tests that hold them.
//
//   node scripts/rules.mjs           writes docs/rules/tests.md
//   node scripts/rules.mjs --check   exits 1 if that file is out of date
//
// Both exit 1 if the marks are not so: a rule in force without a test, a rule of
// later with one, a test that names a rule or a rule that names a test which is
// not there. How a test is matched with a rule: docs/rules/identity.md.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RULES = ["docs/rules/identity.md", "docs/rules/security.md"];
const TABLE = "docs/rules/tests.md";
const TESTED = ["crates", "interop", "web", "e2e", "bench"];
const SKIPPED = new Set(["node_modules", "target", "dist", "assets", "models"]);
const MARKS = { "In force.": "in force", "In part.": "in part", "Later.": "later" };

const faults = [];
const read = (path) => readFileSync(join(ROOT, path), "utf8");

/** The rules of one file: id, title, mark, the tests it names, and where it stands. */
function rulesIn(file) {
  return read(file).split(/^(?=### [A-Z]\d+\. )/m).slice(1).map((section) => {
    const [, heading, id, title] = /^### (([A-Z]\d+)\. (.+))\n/.exec(section);
    const text = section.slice(heading.length + 4).split(/^## /m)[0];
    const mark = MARKS[/^\s*\*\*([A-Z][a-z ]+\.)\*\*/.exec(text)?.[1]];
    if (!mark) faults.push(`${id} has no mark`);
    if (mark === "in part" && !/^\s*\*\*In part\.\*\* Not yet: /.test(text)) faults.push(`${id} is in part and does not say what is not yet`);
    if (!/^Why: /m.test(text) && !/ Why: /.test(text)) faults.push(`${id} does not say why`);
    const named = /<!-- tests\n([\s\S]*?)-->/.exec(text)?.[1].trim().split("\n") ?? [];
    return { id, title, mark, file, anchor: slug(heading), named };
  });
}

/** The anchor that GitHub gives to a heading. */
const slug = (heading) => heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");

function* filesUnder(folder) {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) yield* filesUnder(path);
    else if (entry.isFile()) yield path;
  }
}

/** Every test of one file: its name, and the rules that its name or the comment above it names. */
function testsIn(file) {
  if (file.endsWith(".rs")) return rustTests(file);
  if (/\.test\.(ts|tsx|mjs)$/.test(file)) return scriptTests(file);
  return [];
}

function rustTests(file) {
  const lines = read(file).split("\n");
  return lines.flatMap((line, at) => {
    const name = /^\s*(?:pub )?(?:async )?fn (\w+)/.exec(line)?.[1];
    if (!name) return [];
    const above = linesAbove(lines.slice(0, at), /^\s*(#\[|\/\/)/);
    if (!above.some((it) => /^\s*#\[(\w+::)*test\b/.test(it))) return [];
    const prefixes = /^(?:[a-z]\d+_)+/.exec(name)?.[0].toUpperCase().split("_").filter(Boolean) ?? [];
    return [{ file, name, rules: [...prefixes, ...ids(above.filter((it) => /^\s*\/\//.test(it)).join("\n"))] }];
  });
}

/** Tests of vitest and node:test, with the titles of the groups around them, which are told by their indentation. */
function scriptTests(file) {
  const text = read(file);
  const groups = [];
  const tests = [];
  for (const call of text.matchAll(/^([ \t]*)(describe|it|test)(\.each)?\(/gm)) {
    const [head, { length: depth }, kind, each] = call;
    let at = call.index + head.length;
    if (each) at = text.indexOf("(", closing(text, at)) + 1;
    const title = literal(text, at);
    if (title === undefined) continue;
    while (groups.length > 0 && groups.at(-1).depth >= depth) groups.pop();
    if (kind === "describe") {
      groups.push({ depth, title });
      continue;
    }
    const name = [...groups.map((group) => group.title), title].join(" › ");
    const above = linesAbove(text.slice(0, call.index).split("\n").slice(0, -1), /^\s*(\/\/|\/?\*)/).join("\n");
    tests.push({ file, name, rules: ids(`${name}\n${above}`) });
  }
  return tests;
}

/** Where the parenthesis that was opened before `at` is closed; texts are skipped. */
function closing(text, at) {
  for (let depth = 1; at < text.length; at++) {
    if ("\"'`".includes(text[at])) at = endOfText(text, at);
    else if ("([{".includes(text[at])) depth++;
    else if (")]}".includes(text[at]) && --depth === 0) return at + 1;
  }
  throw new Error("a parenthesis is not closed");
}

function endOfText(text, at) {
  const quote = text[at];
  for (at++; text[at] !== quote; at++) if (text[at] === "\\") at++;
  return at;
}

/** The text that begins at `at`, as it is written. */
function literal(text, at) {
  const start = at + /^\s*/.exec(text.slice(at))[0].length;
  return "\"'`".includes(text[start]) ? text.slice(start + 1, endOfText(text, start)) : undefined;
}

/** The last lines that are all of this form. */
const linesAbove = (lines, form) => lines.slice(lines.findLastIndex((line) => !form.test(line)) + 1);

const ids = (text) => (text.match(/\b[KTASMELIWDGR]\d{1,2}\b/g) ?? []).filter((id) => byId.has(id));

function table(rules, tests) {
  const held = rules.filter((rule) => rule.mark !== "later");
  const count = (mark) => rules.filter((rule) => rule.mark === mark).length;
  const cell = (text) => text.replaceAll("|", "\\|");
  // Titles are written as they stand in the source, where a quote may be escaped.
  const code = (name) => (name.includes("`") ? cell(name.replaceAll("\\`", "`")) : `\`${cell(name)}\``);
  const rows = held.flatMap((rule) => {
    const link = `[${rule.id}](${relative("docs/rules", rule.file)}#${rule.anchor})${rule.mark === "in part" ? " in part" : ""}`;
    const of = tests.filter((test) => test.rules.includes(rule.id));
    if (of.length === 0) return [`| ${link} | – | – |`];
    return of.map((test) => `| ${link} | ${code(test.name)} | \`${test.file}\` |`);
  });
  return `# Rules and their tests

Written by \`node scripts/rules.mjs\`; not by hand. The rules: [identity](identity.md), [security and reliability](security.md).
${count("in force")} are in force, ${count("in part")} in part, ${count("later")} later.

| rule | test | in |
| --- | --- | --- |
${rows.join("\n")}
`;
}

const rules = RULES.flatMap(rulesIn);
const byId = new Map(rules.map((rule) => [rule.id, rule]));
const tests = TESTED.flatMap((folder) => [...filesUnder(folder)]).flatMap(testsIn);

for (const rule of rules) {
  for (const line of rule.named) {
    const [file, name] = line.split(/: (.*)/s);
    const found = tests.filter((test) => test.file === file && test.name === name);
    if (found.length !== 1) faults.push(`${rule.id} names ${found.length || "no"} test by “${line}”`);
    for (const test of found) test.rules.push(rule.id);
  }
  const tested = tests.filter((test) => test.rules.includes(rule.id));
  if (rule.mark === "in force" && tested.length === 0) faults.push(`${rule.id} is in force and has no test`);
  for (const { file, name } of rule.mark === "later" ? tested : []) {
    faults.push(`${rule.id} is marked later, and \`${name}\` in ${file} tests it: change the mark`);
  }
}
for (const { file, name, rules: named } of tests) {
  for (const id of named) if (!byId.has(id)) faults.push(`\`${name}\` in ${file} names ${id}, which is no rule`);
}

const written = table(rules, tests);
if (process.argv.includes("--check")) {
  if (read(TABLE) !== written) faults.push(`${TABLE} is out of date: run \`node scripts/rules.mjs\``);
} else {
  writeFileSync(join(ROOT, TABLE), written);
}
for (const fault of faults) console.error(fault);
console.log(`${rules.length} rules, ${tests.filter((test) => test.rules.length > 0).length} of ${tests.length} tests hold them, ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
