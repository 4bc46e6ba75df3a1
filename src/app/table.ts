/**
 * Plain aligned tables, and the width of text on a terminal: Chinese, Japanese and Korean
 * characters and emoji take two columns, combining marks none. Unicode Standard Annex #11.
 * @module
 */

/** How a column is laid out. */
export interface Column {
  readonly title: string;
  /** Numbers stand at the right. Default: left. */
  readonly align?: "left" | "right";
}

/** Between two columns. */
const GAP = "  ";

/** First and last code point of each run of characters that are two columns wide. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23ec],
  [0x2705, 0x2705],
  [0x274c, 0x274c],
  [0x2753, 0x2757],
  [0x2795, 0x2797],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

/** How many columns `text` takes on a terminal. Control characters count as none. */
export function widthOf(text: string): number {
  let width = 0;
  for (const sign of text) width += widthOfSign(sign);
  return width;
}

function widthOfSign(sign: string): number {
  const code = sign.codePointAt(0)!;
  if (code >= 0x20 && code < 0x7f) return 1;
  if (code < 0xa0) return 0;
  // Joiners and variation selectors are format characters or marks.
  if (/[\p{Mn}\p{Me}\p{Cf}]/u.test(sign)) return 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/** `text` filled up with blanks to `width` columns; longer text is left as it is. */
export function padTo(text: string, width: number, align: "left" | "right" = "left"): string {
  const blanks = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "left" ? text + blanks : blanks + text;
}

/** `text` cut to `width` columns, with an ellipsis in place of what is missing. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const sign of text) {
    const wide = widthOfSign(sign);
    if (used + wide > width - 1) break;
    kept += sign;
    used += wide;
  }
  return width > 0 ? `${kept}…` : "";
}

/** Breaks text at blanks into lines of at most `width` columns; a longer word has its own line. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(line);
  return lines;
}

/**
 * Lays out rows below their titles.
 *
 * @param columns Columns of the terminal: only the last column is cut to fit. Absent: nothing is.
 * @returns Lines without trailing blanks.
 */
export function table(
  head: readonly Column[],
  rows: readonly (readonly string[])[],
  columns = Infinity,
): string[] {
  const titles = head.map(({ title }) => title);
  const cells = [titles, ...rows].map((row) =>
    // A control character in a name or a reason would move everything that follows.
    // deno-lint-ignore no-control-regex
    head.map((_, index) => (row[index] ?? "").replace(/[\x00-\x1f\x7f-\x9f]+/g, " "))
  );
  const widths = head.map((_, index) =>
    cells.reduce((widest, row) => Math.max(widest, widthOf(row[index]!)), 0)
  );
  return cells.map((row) => {
    const before = row.slice(0, -1).map((cell, index) =>
      padTo(cell, widths[index]!, head[index]!.align)
    );
    const left = before.reduce((sum, cell) => sum + widthOf(cell) + GAP.length, 0);
    const room = Math.max(8, columns - left);
    const last = cutTo(row.at(-1) ?? "", room);
    const end = head.at(-1)?.align === "right" ? padTo(last, widths.at(-1)!, "right") : last;
    return [...before, end].join(GAP).trimEnd();
  });
}
