import { expect, it } from "vitest";
import { accentOf } from "./colour.ts";

it.each([
  ["#2f6f4f", "#2f6f4f", "#ffffff"],
  ["#ffd400", "#ffd400", "#000000"],
  ["#FFF", "#FFF", "#000000"],
  ["#777777", "#777777", "#000000"],
  ["#757575", "#757575", "#ffffff"],
  ["red", "#2a5f50", "#ffffff"],
  ["#12345", "#2a5f50", "#ffffff"],
  ["#fff;background:url(//evil.example)", "#2a5f50", "#ffffff"],
  [null, "#2a5f50", "#ffffff"],
])("on %s text can be read", (chosen, accent, ink) => {
  expect(accentOf(chosen)).toEqual({ accent, ink });
});
