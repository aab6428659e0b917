const FALLBACK = "#2a5f50";

type Rgb = readonly [number, number, number];

function parse(hex: string): Rgb | null {
  const long = /^#[0-9a-f]{3}$/i.test(hex) ? hex.replace(/[0-9a-f]/gi, "$&$&") : hex;
  if (!/^#[0-9a-f]{6}$/i.test(long)) return null;
  const channel = (at: number) => Number.parseInt(long.slice(at, at + 2), 16);
  return [channel(1), channel(3), channel(5)];
}

/** Relative luminance, WCAG 2. */
function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0);
}

/** The operator's accent, and the text colour that can be read on it: black or white, whichever is the clearer. */
export function accentOf(chosen: string | null): { readonly accent: string; readonly ink: string } {
  const given = chosen === null ? null : parse(chosen);
  const accent = chosen !== null && given ? chosen : FALLBACK;
  const light = luminance(given ?? parse(FALLBACK) ?? [0, 0, 0]);
  // One of the two always reaches 4.5:1.
  return { accent, ink: 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 ? "#ffffff" : "#000000" };
}
