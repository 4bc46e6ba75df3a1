/** Problems of a configuration as lines for people. */
import type { Problem } from "../kernel/config.ts";

/**
 * One line for each problem: `busbar.yaml:12:7 modules.goose_bridge.path0.mtu: must be a whole
 * number from 576 to 9000 (is 99999). Remedy`.
 *
 * @param file Name of the file; absent where it is known.
 */
export function problemLines(problems: readonly Problem[], file?: string): string[] {
  return problems.map((problem) => {
    const { line, column, path, message, value, remedy, severity } = problem;
    const place = line === 0
      ? file ?? ""
      : `${file === undefined ? "line " : `${file}:`}${line}:${column}`;
    const head = [place, severity === "warning" ? "warning:" : "", path === "" ? "" : `${path}:`];
    const text = `${message}${value === undefined ? "" : ` (is ${value})`}`;
    return [
      ...head.filter((word) => word !== ""),
      remedy === undefined ? text : `${text}. ${remedy}`,
    ]
      .join(" ");
  });
}
