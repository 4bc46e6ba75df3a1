/** A strict reader of the text exposition format 0.0.4: whatever it does not allow is an error. */

/** One metric with its samples. */
export interface Metric {
  readonly type: string;
  readonly help: string;
  readonly samples: { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\\\\\|\\\\n)*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/;
const NUMBER = /^(NaN|[+-]?Inf|[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?)$/;

/** Reads a text. @throws Error with the line that breaks the format. */
export function parseMetrics(text: string): Map<string, Metric> {
  if (!text.endsWith("\n")) throw new Error("The last line has no line feed");
  const metrics = new Map<string, Metric>();
  let name = "";
  let help: string | undefined;
  const seen = new Set<string>();
  for (const line of text.slice(0, -1).split("\n")) {
    const fail = (why: string) => new Error(`${why}: ${line}`);
    const helped = HELP.exec(line);
    const typed = TYPE.exec(line);
    if (helped) {
      if (metrics.has(helped[1]!)) throw fail("Second block of a metric");
      [name, help] = [helped[1]!, helped[2]!];
    } else if (typed) {
      if (typed[1] !== name || help === undefined) throw fail("TYPE does not follow its HELP");
      metrics.set(name, { type: typed[2]!, help, samples: [] });
    } else {
      const sample = SAMPLE.exec(line);
      if (!sample || sample[1] !== name) throw fail("Sample outside of its block");
      const metric = metrics.get(name);
      if (!metric) throw fail("Sample before its TYPE");
      if (!NUMBER.test(sample[3]!)) throw fail("No number");
      if (seen.has(`${name}{${sample[2]}}`)) throw fail("The same sample twice");
      seen.add(`${name}{${sample[2]}}`);
      const value = Number(sample[3]!.replace("Inf", "Infinity"));
      metric.samples.push({ labels: parseLabels(sample[2] ?? "", fail), value });
      if (metric.type === "counter" && !(value >= 0)) throw fail("Counter below 0");
      if (metric.type === "counter" && !name.endsWith("_total")) {
        throw fail("Counter without _total");
      }
    }
  }
  return metrics;
}

function parseLabels(text: string, fail: (why: string) => Error): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== "";) {
    const label = LABEL.exec(rest);
    if (!label || label[1]! in labels) throw fail("Label");
    labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, sign) => sign === "n" ? "\n" : sign);
    rest = rest.slice(label[0].length);
  }
  return labels;
}
