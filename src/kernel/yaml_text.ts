/**
 * YAML with positions, and the only file that imports the YAML library. A text becomes plain data,
 * and every path in it can be found again as line and column.
 * @module
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, stringify } from "yaml";

/** Most octets of a file. */
export const TEXT_MAX = 1024 * 1024;
/** Most values that aliases may stand for. */
const ALIASES_MAX = 1000;

/** A place in the text; both from 1, or 0 when there is none. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A text that is no YAML, at one place. */
export interface YamlFault extends Place {
  readonly message: string;
  readonly remedy?: string;
}

/** A text that was read. */
export interface YamlText {
  /** Plain data; undefined when there are faults. An empty text is null. */
  readonly value: unknown;
  readonly faults: readonly YamlFault[];
  /** Where the value at a path begins; the nearest parent's place when there is none. */
  placeOf(path: readonly string[]): Place;
  /** Where the last key of a path stands; as {@linkcode placeOf} when there is none. */
  placeOfKey(path: readonly string[]): Place;
}

const REMEDIES: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "Remove one of the two, or put both values under one key",
  TAB_AS_INDENT: "Indent with spaces",
  BAD_INDENT: "Lines of one map begin in the same column",
  MULTIPLE_DOCS: "Remove the line with ---: one file is one configuration",
  MISSING_CHAR: "Close the quote or the bracket that was opened",
};

/** Sentences of the library that speak to programmers. */
const MESSAGES: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: "holds more than one document",
};

/** Reads a text. Never throws. */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    merge: true,
    version: "1.2",
  });
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const faults: YamlFault[] = [...document.errors, ...document.warnings].map((error) => {
    const remedy = REMEDIES[error.code];
    const message = MESSAGES[error.code] ?? sentence(error.message);
    return { ...place(error.pos[0]), message, ...(remedy === undefined ? {} : { remedy }) };
  });
  const placeOf = (path: readonly string[], ofKey: boolean): Place => {
    let node: unknown = document.contents;
    let found = node === null ? { line: 1, column: 1 } : place(rangeOf(node));
    for (const [index, key] of path.entries()) {
      if (isAlias(node)) node = node.resolve(document);
      if (isMap(node)) {
        const pair = node.items.find((item) => textOf(item.key) === key);
        if (!pair) return found;
        const last = index === path.length - 1;
        found = place(rangeOf((last && ofKey) || pair.value === null ? pair.key : pair.value));
        if (!last && !isMap(pair.value) && !isSeq(pair.value)) found = place(rangeOf(pair.key));
        node = pair.value;
      } else if (isSeq(node)) {
        const item: unknown = node.items[Number(key)];
        if (item === undefined) return found;
        found = place(rangeOf(item));
        node = item;
      } else return found;
    }
    return found;
  };
  let value: unknown;
  if (faults.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: ALIASES_MAX });
    } catch (error) {
      // Aliases that stand for more than they should, or for nothing.
      const message = sentence(error instanceof Error ? error.message : String(error));
      faults.push({ line: 1, column: 1, message, remedy: "Write the values out" });
    }
  }
  return {
    value: value === undefined ? null : value,
    faults,
    placeOf: (path) => placeOf(path, false),
    placeOfKey: (path) => placeOf(path, true),
  };
}

/** Plain data as YAML. */
export function writeYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}

function rangeOf(node: unknown): number {
  return (node as { range?: readonly [number, number, number] | null } | null)?.range?.[0] ?? 0;
}

function textOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function sentence(message: string): string {
  const first = message.split("\n")[0]!.replace(/[.:]\s*$/, "");
  return first.charAt(0).toLowerCase() + first.slice(1);
}
