/** Reads the JUnit reports of `deno test`, and adds them up. @module */

/** Results of some tests. Steps inside a test are part of it, not tests of their own. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What one report says. */
export interface Report {
  readonly counts: Counts;
  /** `file: name` of each test that failed. */
  readonly failed: readonly string[];
  /** Paths of the files of which at least one test is reported. */
  readonly files: readonly string[];
}

/** The sum of nothing. */
export const EMPTY: Counts = { passed: 0, failed: 0, skipped: 0 };

/** The sum of two. */
export function total(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** The one plain line at the end of a run. */
export function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Parses one report of `deno test --junit-path`. */
export function parseReport(xml: string): Report {
  let counts = EMPTY;
  const failed: string[] = [];
  const files: string[] = [];
  for (const suite of xml.matchAll(/<testsuite name="([^"]*)"[^>]*>([^]*?)<\/testsuite>/g)) {
    const file = text(suite[1]!).replace(/^\.\//, "");
    files.push(file);
    let parent: string | undefined;
    for (const match of suite[2]!.matchAll(/<testcase name="([^"]*)"[^>]*>([^]*?)<\/testcase>/g)) {
      const name = text(match[1]!);
      if (parent !== undefined && name.startsWith(`${parent} > `)) continue;
      parent = name;
      if (/<(failure|error)[ />]/.test(match[2]!)) {
        failed.push(`${file}: ${name}`);
        counts = total(counts, { ...EMPTY, failed: 1 });
      } else if (/<skipped[ />]/.test(match[2]!)) {
        counts = total(counts, { ...EMPTY, skipped: 1 });
      } else counts = total(counts, { ...EMPTY, passed: 1 });
    }
  }
  return { counts, failed, files };
}

function text(escaped: string): string {
  const signs: Readonly<Record<string, string>> = {
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
    amp: "&",
  };
  return escaped.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => signs[name]!);
}
