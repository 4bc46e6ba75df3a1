// deno-lint-ignore-file no-console -- talking to the terminal is what it is for
/**
 * The gate: `deno task test [path ...] [-- deno test options]`. Formatting, lint and types, then
 * every test; its last line is `N passed, N failed` (or `…, N skipped`) from the real results, and
 * the exit code is not 0 when anything failed or when nothing ran.
 *
 * Unit tests, scenarios and fuzzing run in one parallel process. Whatever opens namespaces, devices
 * or the packed executable runs file by file, so that a crash loses one file and not the run.
 *
 * Arguments: parts of paths below `tests/` (`unit/kernel`, `e2e`) choose files, and leave out
 * formatting, lint and types unless named (`fmt`, `lint`, `check`, `build`). What begins with a
 * dash goes to `deno test` (`--filter=words`).
 * @module
 */
import { type Counts, EMPTY, parseReport, summary, total } from "./report.ts";

/** Folders whose files may run side by side, in one process. */
const PARALLEL = /^tests\/(unit|scenario|fuzz|[a-z_]+_test\.ts)/;
const TEST_FILE = /(_test|_fuzz)\.ts$/;
const PARALLEL_MS_MAX = 600_000;
const FILE_MS_MAX = 300_000;
const STEP_MS_MAX = 300_000;

const STEPS: Readonly<Record<string, readonly string[]>> = {
  fmt: ["fmt", "--check"],
  lint: ["lint"],
  check: ["check"],
};
const BUILD = ["run", "-A", "build/build.ts", "--target", "all", "--route", "pack"];

/** What there is to say of a command that ended with another code than 0. */
const FAILED = "failed";

const ROOT = new URL("..", import.meta.url).pathname;
const reports = Deno.makeTempDirSync({ prefix: "busbar-tests-" });
const failures: string[] = [];
let running: Deno.ChildProcess | undefined;

/** Runs all that the arguments choose. */
async function run(args: readonly string[]): Promise<Counts> {
  const options = args.filter((arg) => arg.startsWith("-") && arg !== "--");
  const parts = args.filter((arg) => !arg.startsWith("-"));
  const chosen = (name: string) => parts.length === 0 || parts.includes(name);
  let counts = EMPTY;
  for (const [name, command] of Object.entries(STEPS)) {
    if (chosen(name)) counts = total(counts, await step(name, command));
  }
  const wanted = parts.map((part) => part.replace(/^(\.\/)?tests(\/|$)/, ""));
  const files = testFiles("tests").filter((path) =>
    wanted.length === 0 || wanted.some((part) => path.slice("tests/".length).includes(part))
  );
  const together = files.filter((path) => PARALLEL.test(path));
  const alone = files.filter((path) => !PARALLEL.test(path));
  if (together.length > 0) counts = total(counts, await parallel(together, options));
  if (parts.includes("build") || alone.some((path) => path.startsWith("tests/e2e/"))) {
    counts = total(counts, await step("build", BUILD));
  }
  for (const path of alone) counts = total(counts, await testFile(path, options));
  return counts;
}

/** One command that counts as one test. */
async function step(name: string, command: readonly string[]): Promise<Counts> {
  say(`deno ${command.join(" ")}`);
  const trouble = await deno(command, STEP_MS_MAX);
  if (trouble === undefined) return { ...EMPTY, passed: 1 };
  failures.push(`${name} (${trouble})`);
  return { ...EMPTY, failed: 1 };
}

/** Many files in one process; one by one when that process ended without a report. */
async function parallel(
  files: readonly string[],
  options: readonly string[],
): Promise<Counts> {
  say(`${files.length} files of unit tests, scenarios and fuzzing`);
  const report = `${reports}/parallel.xml`;
  const flags = ["--no-check", "--parallel", `--junit-path=${report}`, ...options];
  const trouble = await deno(["test", "-A", ...flags, ...files], PARALLEL_MS_MAX);
  const result = read(report);
  if (result === undefined) {
    say("The run ended without a report; its files run one at a time to find out which it was");
    let counts = EMPTY;
    for (const path of files) counts = total(counts, await testFile(path, options));
    if (counts.failed > 0) return counts;
    failures.push(`the parallel run (${trouble ?? "no report"})`);
    return total(counts, { ...EMPTY, failed: 1 });
  }
  return judged(result, trouble, files, options);
}

async function testFile(path: string, options: readonly string[]): Promise<Counts> {
  say(path);
  const report = `${reports}/${path.replaceAll("/", "-")}.xml`;
  const flags = ["--no-check", `--junit-path=${report}`, ...options];
  const trouble = await deno(["test", "-A", ...flags, path], FILE_MS_MAX);
  return judged(read(report) ?? { counts: EMPTY, failed: [], files: [] }, trouble, [path], options);
}

/** Adds what the report cannot say: files that did not load, and a runner that failed by itself. */
function judged(
  result: ReturnType<typeof parseReport>,
  trouble: string | undefined,
  files: readonly string[],
  options: readonly string[],
): Counts {
  failures.push(...result.failed);
  const filtered = options.some((option) => option.startsWith("--filter"));
  const silent = files.filter((path) => !result.files.includes(path));
  const unrun = filtered && trouble === undefined ? [] : silent;
  const why = trouble === undefined || trouble === FAILED
    ? "did not load, or has no test"
    : trouble;
  for (const path of unrun) failures.push(`${path} (${why})`);
  let failed = unrun.length;
  if (trouble !== undefined && failed === 0 && result.counts.failed === 0) {
    failures.push(`${files.length === 1 ? files[0] : "the run"} (${trouble})`);
    failed = 1;
  }
  return total(result.counts, { ...EMPTY, failed });
}

function read(report: string): ReturnType<typeof parseReport> | undefined {
  try {
    return parseReport(Deno.readTextFileSync(report));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Runs Deno, its output going straight through. @returns What went wrong, if anything. */
async function deno(args: readonly string[], msMax: number): Promise<string | undefined> {
  // A process group of its own: whatever a test leaves running in it can be ended with it.
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    stdin: "null",
    detached: true,
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).spawn();
  running = child;
  let late = false;
  const alarm = setTimeout(() => {
    late = true;
    end(child);
  }, msMax);
  const { success, signal } = await child.status;
  clearTimeout(alarm);
  running = undefined;
  if (late) return `stopped, as it took longer than ${msMax / 1_000} s`;
  if (signal !== null) return `ended by ${signal}`;
  return success ? undefined : FAILED;
}

function end(child: Deno.ChildProcess): void {
  try {
    Deno.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL"); // The group could not be reached; at least its leader can.
  }
}

function testFiles(folder: string): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...testFiles(path));
    else if (TEST_FILE.test(entry.name)) found.push(path);
  }
  return found.sort();
}

function say(what: string): void {
  console.log(`\n== ${what}`);
}

Deno.chdir(ROOT);
for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.addSignalListener(signal, () => {
    if (running) end(running);
    Deno.exit(code);
  });
}
let counts: Counts;
try {
  counts = await run(Deno.args);
} catch (error) {
  console.error(error);
  counts = { ...EMPTY, failed: 1 };
}
Deno.removeSync(reports, { recursive: true });
console.log("");
for (const failure of failures) console.log(`Failed: ${failure}`);
if (counts.passed + counts.failed === 0) console.log("Failed: no test ran");
console.log(summary(counts));
Deno.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);
