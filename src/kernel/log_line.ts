/**
 * Lines of the log as text: what is secret hidden, what is too large cut, as JSON for machines or
 * in columns for people. Pure.
 * @module
 */
import { describe, imageOf } from "../base/errors.ts";
import type { LineLevel, LogFields, LogLine } from "../base/log.ts";

const TEXT_MAX = 2000;
const STACK_MAX = 4000;
const ITEMS_MAX = 50;
const DEPTH_MAX = 4;
const HIDDEN = "***";
/** Names of fields whose values are never shown. */
const SECRET_KEY = /token|password|passwd|passphrase|secret|private_?key|credential|authorization/i;
/** Shorter values are not replaced inside of texts: they would blacken half of the log. */
const SECRET_LENGTH_MIN = 4;

const ESCAPE = "\x1b[";
const COLORS: Readonly<Record<LineLevel, string>> = {
  trace: `${ESCAPE}2m`,
  debug: `${ESCAPE}2m`,
  info: `${ESCAPE}32m`,
  warn: `${ESCAPE}33m`,
  error: `${ESCAPE}31m`,
};
const PLAIN = `${ESCAPE}0m`;

/** Hides values in texts. */
export type Hide = (text: string) => string;

/** Replaces each of the secrets wherever it appears. */
export function hider(secrets: readonly string[]): Hide {
  const known = secrets.filter((secret) => secret.length >= SECRET_LENGTH_MIN)
    .sort((a, b) => b.length - a.length);
  if (known.length === 0) return (text) => text;
  return (text) => known.reduce((clean, secret) => clean.replaceAll(secret, HIDDEN), text);
}

/** A value as plain data that JSON can hold, without secrets, bounded in depth, width and length. */
export function plain(value: unknown, hide: Hide, depth = 0): unknown {
  switch (typeof value) {
    case "string":
      return cut(hide(value), TEXT_MAX);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return String(value);
    case "object":
      return value === null ? null : plainObject(value, hide, depth);
    default:
      return value === undefined ? undefined : `[${typeof value}]`;
  }
}

function plainObject(value: object, hide: Hide, depth: number): unknown {
  if (value instanceof Error) {
    const { stack } = imageOf(value);
    return stack === undefined
      ? cut(hide(describe(value)), TEXT_MAX)
      : { message: cut(hide(describe(value)), TEXT_MAX), stack: cut(hide(stack), STACK_MAX) };
  }
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} octets]`;
  if (depth >= DEPTH_MAX) return "[…]";
  if (Array.isArray(value)) {
    const items = value.slice(0, ITEMS_MAX).map((item) => plain(item, hide, depth + 1));
    return value.length > ITEMS_MAX ? [...items, `… ${value.length - ITEMS_MAX} more`] : items;
  }
  const entries = Object.entries(value);
  const clean: Record<string, unknown> = {};
  for (const [key, item] of entries.slice(0, ITEMS_MAX)) {
    clean[key] = SECRET_KEY.test(key) ? HIDDEN : plain(item, hide, depth + 1);
  }
  if (entries.length > ITEMS_MAX) clean["…"] = `${entries.length - ITEMS_MAX} more`;
  return clean;
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}… (${text.length} characters)`;
}

/** One line of JSON: `ts`, `level`, `id`, `code`, `msg`, then the fields. Without a line feed. */
export function jsonLine(line: LogLine, hide: Hide): string {
  const { at, level, id, code, message } = line;
  const head = { ts: new Date(at).toISOString(), level, id, code, msg: plain(message, hide) };
  const fields = plain(line.fields, hide) as Record<string, unknown>;
  const safe: Record<string, unknown> = { ...head };
  for (const [key, value] of Object.entries(fields)) safe[key in head ? `_${key}` : key] = value;
  return JSON.stringify(safe);
}

/** One line for people: time, level, service, message, code, fields. Without a line feed. */
export function textLine(line: LogLine, hide: Hide, color: boolean): string {
  const { at, level, id, code, message } = line;
  const time = new Date(at).toISOString().replace("T", " ").replace("Z", "");
  const label = level.toUpperCase().padEnd(5);
  const shown = color ? `${COLORS[level]}${label}${PLAIN}` : label;
  const { stack, fields } = splitStack(plain(line.fields, hide) as Record<string, unknown>);
  const text = `${time} ${shown} ${id}: ${plain(message, hide)} [${code}]${fields}`;
  // A control character from a peer must not paint on the operator's terminal.
  return stack === undefined ? printable(text) : `${printable(text)}\n${stack}`;
}

function splitStack(fields: LogFields): { stack: string | undefined; fields: string } {
  let stack: string | undefined;
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    const error = value as { message?: unknown; stack?: unknown } | null;
    if (typeof error === "object" && typeof error?.stack === "string") {
      stack = error.stack.split("\n").map(printable).join("\n");
      text += ` ${key}=${JSON.stringify(error.message)}`;
    } else if (value !== undefined) {
      const quoted = typeof value === "string" && !/^[\w.:@%/+-]+$/.test(value);
      text += ` ${key}=${typeof value === "string" && !quoted ? value : JSON.stringify(value)}`;
    }
  }
  return { stack, fields: text };
}

function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what is looked for
  return text.replace(/[\x00-\x1a\x1c-\x1f\x7f]|\x1b(?!\[\d{1,2}m)/g, "?");
}
