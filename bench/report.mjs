// What a run has found: medians with their spread, as a table, JSON and SVG.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { execFileSync } from "node:child_process";

const FOLDER = "target/bench";

/** The middle one of several measurements, and the least and the most of them. */
export function middle(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return { median, least: sorted[0], most: sorted.at(-1), values };
}

/** As people read it: three digits that count. */
export function short(number) {
  if (Math.abs(number) >= 1000) return Math.round(number).toLocaleString("en");
  return String(Number(number.toPrecision(3)));
}

export const withSpread = ({ median, least, most }) => `${short(median)} (${short(least)} to ${short(most)})`;

/** Rows of text, the first of them the head; numbers are on the right. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => row.map((text, n) => (n ? text.padStart(widths[n]) : text.padEnd(widths[n]))).join("  ");
  return [line(rows[0]), widths.map((width) => "-".repeat(width)).join("  "), ...rows.slice(1).map(line)].join("\n");
}

/** Keeps what was found, and says on what machine and of which state of the code. */
export function keep(name, found, svg) {
  mkdirSync(FOLDER, { recursive: true });
  const commit = execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  const machine = { processor: cpus()[0].model, cores: cpus().length, node: process.version };
  const json = JSON.stringify({ name, at: new Date().toISOString(), commit, machine, ...found }, null, 2);
  writeFileSync(`${FOLDER}/${name}.json`, `${json}\n`);
  writeFileSync(`${FOLDER}/${name}.svg`, svg);
  console.log(`\nkept in ${FOLDER}/${name}.json and .svg`);
}

const COLOURS = ["#9aa0a6", "#1a73e8", "#e8710a", "#12a4af", "#d01884", "#7b5ea7"];
const BAR = 14;

/**
 * Bars in groups: `groups` are `{ name, bars: [{ name, median, least, most }] }`. Bars
 * are as long as the logarithm of their median, with a line from least to most.
 */
export function bars(title, groups) {
  const all = groups.flatMap((group) => group.bars);
  const low = 10 ** Math.floor(Math.log10(Math.min(...all.map((bar) => bar.least))));
  const high = Math.max(...all.map((bar) => bar.most));
  const [left, right] = [90, 700];
  const x = (value) => left + ((right - left) * Math.log(value / low)) / Math.log(high / low);
  const names = [...new Set(all.map((bar) => bar.name))];
  const parts = [];
  let y = 60;
  for (const group of groups) {
    parts.push(text(left - 8, y + (group.bars.length * BAR) / 2 + 4, group.name, "end"));
    for (const { name, median, least, most } of group.bars) {
      const centre = y + BAR / 2;
      const colour = COLOURS[names.indexOf(name) % COLOURS.length];
      parts.push(`<rect x="${left}" y="${y + 1}" width="${(x(median) - left).toFixed(1)}" height="${BAR - 2}" fill="${colour}"/>`);
      parts.push(`<path d="M${x(least).toFixed(1)} ${centre}H${x(most).toFixed(1)}" stroke="#202124"/>`);
      parts.push(text(x(most) + 6, centre + 4, `${short(median)} ${name}`));
      y += BAR;
    }
    y += BAR;
  }
  const head = text(left, 30, title);
  const size = `width="960" height="${y + 10}" viewBox="0 0 960 ${y + 10}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n${[head, ...parts].join("\n")}\n</svg>\n`;
}

function text(x, y, words, anchor = "start") {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped}</text>`;
}
