/** Comma-separated values (RFC 4180), with any of the line ends, and a byte order mark allowed. */

const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;

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

/** Reads a text as a whole; see {@linkcode csvRecords}. */
export function readCsv(text: string): { records: CsvRecord[]; fault: CsvFault | undefined } {
  const records: CsvRecord[] = [];
  const reading = csvRecords(text);
  for (;;) {
    const { done, value } = reading.next();
    if (done) return { records, fault: value };
    records.push(value);
  }
}

/**
 * Reads a text record by record. Lines without anything are left out.
 * @returns What is wrong with the text; there are no records behind it.
 */
export function* csvRecords(text: string): Generator<CsvRecord, CsvFault | undefined, undefined> {
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
          return { line: began, message: "a quoted field has no end" };
        }
        const inside = text.slice(at + 1, end);
        line += inside.split("\n").length - 1;
        field = inside.replaceAll('""', '"');
        at = end + 1;
        if (at < text.length && !/[,\r\n]/.test(text[at]!)) {
          return { line, message: "something stands behind a quoted field" };
        }
      } else {
        const end = plainEnd(text, at);
        field = text.slice(at, end).trim();
        at = end;
      }
      fields.push(field);
      if (text[at] !== ",") break;
      at += 1;
    }
    if (text.startsWith("\r\n", at)) at += 2;
    else at += 1;
    line += 1;
    if (fields.length > 1 || fields[0] !== "") yield { line: began, fields };
  }
  return undefined;
}

/** Where a field without quotes ends. */
function plainEnd(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code === LINE_FEED || code === RETURN) break;
  }
  return at;
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
