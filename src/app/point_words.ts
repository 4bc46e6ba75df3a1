/** Values, times and outcomes of commands as they are written on the command line. */

/** What became of a command, by the word of the control port. */
export const OUTCOMES: Readonly<Record<string, string>> = {
  done: "Done",
  refused: "Refused",
  "timed_out": "Nobody answered in time; it may still be executed",
  "no_owner": "No service owns this point now",
  unknown: "It was under way when busbar ended; whether it was executed is not known",
};

/** Epoch milliseconds as text; nothing for none. */
export function timeText(at: number | null): string {
  if (at === null) return "";
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? `${at}` : date.toISOString();
}

/** On the command line a value is a text; what it is meant as is seen by its form. */
export function valueOf(text: string): number | boolean | string {
  if (/^(on|true)$/i.test(text)) return true;
  if (/^(off|false)$/i.test(text)) return false;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}
