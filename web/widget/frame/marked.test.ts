import { expect, it } from "vitest";
import { cropped, marked } from "./marked.ts";

const told = (text: string, query: string) => marked(text, query).map((piece) => (piece.hit ? `[${piece.text}]` : piece.text)).join("");

it.each([
  ["Where is my order?", "ORDER", "Where is my [order]?"],
  ["Ein Café, zwei Cafés", "cafe", "Ein [Café], zwei [Café]s"],
  ["Cafe\u0301 au lait", "café", "[Cafe\u0301] au lait"],
  ["İstanbul or Istanbul", "istanbul", "[İstanbul] or [Istanbul]"],
  ["die Größte, DIE GRÖSSTE", "grösste", "die [Größte], DIE [GRÖSSTE]"],
  ["Ο ΔΡΟΜΟΣ, ο δρόμος", "δρομος", "Ο [ΔΡΟΜΟΣ], ο [δρόμος]"],
  ["red  shoes, red shoes", "red   shoes", "red  shoes, [red shoes]"],
  ["👟 shoes 👟", "shoes", "👟 [shoes] 👟"],
  ["a.b*c", ".b*", "a[.b*]c"],
  ["<b>bold</b>", "<b>", "[<b>]bold</b>"],
  ["nothing of it", "shoes", "nothing of it"],
  ["anything", "  ", "anything"],
  ["", "x", ""],
])("%j, searched for %j", (text, query, expected) => {
  expect(told(text, query)).toBe(expected);
  expect(marked(text, query).map((piece) => piece.text).join("")).toBe(text);
});

it.each([
  ["We send you a link to follow the parcel as soon as it has left us", "parcel", "…you a link to follow the |parcel| as soon as it has left us"],
  ["follow the parcel", "parcel", "follow the |parcel"],
  ["A text of some length in which there is nothing", "parcel", "A text of some length in which there is nothing"],
  [`${"x".repeat(40)}parcel`, "parcel", `…${"x".repeat(28)}|parcel`],
])("it is not far to the first hit: %j", (text, query, expected) => {
  expect(cropped(marked(text, query)).map((piece) => piece.text).join("|")).toBe(expected);
});
