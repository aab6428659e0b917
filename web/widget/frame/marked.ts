/** A piece of a text, and whether it is what was searched for. */
export type Piece = { readonly text: string; readonly hit: boolean };

/** As the server compares, letter by letter: without case and accents; up and down again, so that ß is ss. */
const fold = (letter: string): string => letter.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase().toUpperCase().toLowerCase();

/** Cuts a text into what was searched for and what stands around it. The pieces together are the text. */
export function marked(text: string, query: string): Piece[] {
  const wanted = [...query.trim().replace(/\s+/g, " ")].map(fold).join("");
  // Where each letter of the folded text stands in the text.
  const at: number[] = [];
  let folded = "";
  let end = 0;
  for (const letter of text) {
    const each = fold(letter);
    for (let unit = 0; unit < each.length; unit++) at.push(end);
    folded += each;
    end += letter.length;
  }
  at.push(end);
  const pieces: Piece[] = [];
  let from = 0;
  for (let hit = wanted === "" ? -1 : folded.indexOf(wanted); hit >= 0; hit = folded.indexOf(wanted, hit + wanted.length)) {
    const [start = end, stop = end] = [at[hit], at[hit + wanted.length]];
    if (start > from) pieces.push({ text: text.slice(from, start), hit: false });
    pieces.push({ text: text.slice(start, stop), hit: true });
    from = stop;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), hit: false });
  return pieces;
}

/** So many letters stand before the first hit at most, or a few more where there are no spaces. */
const BEFORE = 28;

/** Takes away what stands long before the first hit, so that it is seen where there is little room. */
export function cropped(pieces: readonly Piece[]): readonly Piece[] {
  const [first, ...rest] = pieces;
  if (!first || first.hit || rest.length === 0 || first.text.length <= BEFORE) return pieces;
  const tail = first.text.slice(-BEFORE);
  return [{ text: `…${tail.slice(tail.indexOf(" ") + 1)}`, hit: false }, ...rest];
}
