/** Comma-separated values (RFC 4180), with any of the line ends, and a byte order mark allowed. */

/** A field that could not be read. */
export interface CsvFault {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** A record and where it began. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** Reads a text. Lines without anything are left out. */
export function readCsv(text: string): { records: CsvRecord[]; fault: CsvFault | undefined } {
  const records: CsvRecord[] = [];
  let at = text.startsWith("\ufeff") ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const began = line;
    const fields: string[] = [];
    for (;;) {
      let field: string;
      if (text[at] === '"') {
        const end = closingQuote(text, at + 1);
        if (end < 0) {
          return { records, fault: { line: began, message: "a quoted field has no end" } };
        }
        const inside = text.slice(at + 1, end);
        line += inside.split("\n").length - 1;
        field = inside.replaceAll('""', '"');
        at = end + 1;
        if (at < text.length && !/[,\r\n]/.test(text[at]!)) {
          return { records, fault: { line, message: "something stands behind a quoted field" } };
        }
      } else {
        const [found] = /^[^,\r\n]*/.exec(text.slice(at, at + 65_536))!;
        field = found.trim();
        at += found.length;
      }
      fields.push(field);
      if (text[at] !== ",") break;
      at += 1;
    }
    if (text.startsWith("\r\n", at)) at += 2;
    else at += 1;
    line += 1;
    if (fields.length > 1 || fields[0] !== "") records.push({ line: began, fields });
  }
  return { records, fault: undefined };
}

function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return -1;
}

/** Writes records, each on a line of its own. */
export function writeCsv(records: Iterable<readonly string[]>): string {
  let text = "";
  for (const fields of records) text += `${fields.map(quoted).join(",")}\n`;
  return text;
}

function quoted(field: string): string {
  return /[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
