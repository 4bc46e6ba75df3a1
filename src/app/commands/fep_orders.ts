/** `busbar fep interrogate|command|parameter|files|fetch`: what an operator asks of an RTU. */
import { describe, OsError } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../kernel/registry.ts";
import { Arguments } from "../arguments.ts";
import { ControlClient, controlTarget, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { OUTCOMES, timeText, valueOf } from "../point_words.ts";
import { table } from "../table.ts";

/** Longer than an interrogation may take by default, asked twice; a file may take as long. */
const PATIENCE_MS = 150_000;
const ORDERS = ["counters", "clock", "test", "reset"] as const;
const FREEZES = ["freeze", "freeze_reset", "reset"] as const;
/** QU (IEC 60870-5-101, 7.2.6.26). */
const PULSES = { short: 1, long: 2, persistent: 3 } as const;

const RTU = { name: "rtu", summary: "Its name in the configuration" } as const;
const PLACE = { name: "address", summary: "CA/IOA, such as 1/201" } as const;

interface Place {
  readonly coa: number;
  readonly ioa: number;
}

function placeOf(given: Arguments, text: string, what: string): Place {
  const match = /^(\d{1,5})\/(\d{1,8})$/.exec(text) ??
    given.fail(`${what} must be CA/IOA such as 1/201, not "${text}"`);
  return { coa: Number(match[1]), ioa: Number(match[2]) };
}

/** Asks; tells why it was not done. @returns The answer, or undefined when it was not. */
async function ask(call: Invocation, order: string, body: JsonObject | null): Promise<
  JsonObject | undefined
> {
  const client = new ControlClient(await controlTarget(call));
  const rtu = call.args[0] ?? "";
  const path = `/fep/${encodeURIComponent(rtu)}/${order}`;
  const { status, body: answer } = await client.request("POST", path, body, PATIENCE_MS);
  if (status < 300) return answer as JsonObject;
  const { error, outcome } = (answer ?? {}) as { error?: string; outcome?: Json };
  if (outcome) return answer as JsonObject;
  // The port itself knows no such path when there is no such RTU.
  const unknown = status === 404 && !error?.startsWith("The point table");
  const text = unknown ? `There is no RTU ${rtu}` : error;
  call.terminal.err(text ?? `The control port answered ${status}`);
  return undefined;
}

/** `busbar fep interrogate`. */
export const fepInterrogateCommand: Command = {
  name: "fep interrogate",
  summary: "Asks an RTU for the state of all its points, or for something else",
  details:
    "Without an option it is a general interrogation. What the RTU says is in its points.\n\n" +
    "Exit code 1 when it was refused, or not answered in time.",
  options: [
    { name: "group", value: "N", summary: "Of one group: 1 to 16, of counters 1 to 4" },
    { name: "counters", summary: "Its counters" },
    {
      name: "freeze",
      value: "HOW",
      choices: FREEZES,
      summary: "With --counters: what becomes of them before they are read",
    },
    { name: "clock", summary: "To set its clock" },
    { name: "test", summary: "To answer a test" },
    { name: "reset", summary: "To reset its process" },
    { name: "read", value: "CA/IOA", summary: "One object" },
    ...TARGET_OPTIONS,
  ],
  args: [RTU],
  examples: [
    "busbar fep interrogate gz_01",
    "busbar fep interrogate gz_01 --counters --freeze freeze",
    "busbar fep interrogate gz_01 --read 1/201",
  ],
  async run(call) {
    const given = new Arguments("fep interrogate", call);
    const chosen = ORDERS.filter((order) => given.flag(order));
    const read = given.text("read");
    const group = given.whole("group", 1, 16);
    const freeze = given.text("freeze");
    if (chosen.length + (read === undefined ? 0 : 1) > 1) given.fail("One option at a time");
    const counters = chosen[0] === "counters";
    if (freeze !== undefined && !counters) given.fail("--freeze goes with --counters");
    if (group !== undefined && (read !== undefined || (chosen.length > 0 && !counters))) {
      given.fail("--group goes with an interrogation, or with --counters");
    }
    if (counters && (group ?? 0) > 4) given.fail(`Counters have the groups 1 to 4, not ${group}`);
    const order = read === undefined ? chosen[0] ?? "interrogate" : "read";
    const body = read === undefined
      ? { ...(group === undefined ? {} : { group }), ...(freeze === undefined ? {} : { freeze }) }
      : { ...placeOf(given, read, "--read") };
    if (!await ask(call, order, body)) return EXIT.failed;
    call.terminal.out(order === "read" ? "Asked; the answer is in its point" : "Done");
    return EXIT.ok;
  },
};

/** `busbar fep command`. */
export const fepCommandCommand: Command = {
  name: "fep command",
  summary: "Commands an output of an RTU by its address, and tells what became of it",
  details: "The point table has to have an output (do, ao) there: it says of which kind the " +
    "command is, and whether it is selected first. VALUE is on or off, higher or lower, or a " +
    "number. `busbar points set` does the same by the point's name. The command is in the audit, " +
    "whatever becomes of it.\n\nExit code 1 when it was not done.",
  options: [
    { name: "select", summary: "Only selects (select before operate)" },
    { name: "cancel", summary: "Lets go of what was selected" },
    {
      name: "pulse",
      value: "KIND",
      choices: Object.keys(PULSES),
      summary: "Qualifier QU: a short or long pulse, or a persistent output",
    },
    { name: "qualifier", value: "N", summary: "QU or QL as a number" },
    { name: "key", value: "TEXT", summary: "The same command under the same key is done once" },
    ...TARGET_OPTIONS,
  ],
  args: [RTU, PLACE, { name: "value", summary: "What it shall be" }],
  examples: ["busbar fep command gz_01 1/6001 on --pulse short"],
  async run(call) {
    const given = new Arguments("fep command", call);
    const [, place = "", value = ""] = call.args;
    const modes = (["select", "cancel"] as const).filter((mode) => given.flag(mode));
    if (modes.length > 1) given.fail("--select and --cancel exclude each other");
    const pulse = given.text("pulse") as keyof typeof PULSES | undefined;
    const number = given.whole("qualifier", 0, 127);
    if (pulse !== undefined && number !== undefined) given.fail("--pulse or --qualifier, not both");
    const qualifier = pulse === undefined ? number : PULSES[pulse];
    const key = given.text("key");
    const answer = await ask(call, "command", {
      ...placeOf(given, place, "ADDRESS"),
      value: valueOf(value),
      mode: modes[0] ?? "execute",
      ...(qualifier === undefined ? {} : { qualifier }),
      ...(key === undefined ? {} : { key }),
    });
    if (!answer) return EXIT.failed;
    const { kind, why } = answer.outcome as { kind: string; why?: string };
    const text = `${OUTCOMES[kind] ?? kind}${why === undefined ? "" : `: ${why}`}`;
    if (kind === "done") call.terminal.out(text);
    else call.terminal.err(text);
    return kind === "done" ? EXIT.ok : EXIT.failed;
  },
};

/** `busbar fep parameter`. */
export const fepParameterCommand: Command = {
  name: "fep parameter",
  summary: "Loads a parameter of a measured value into an RTU, or activates it",
  details: "PARAMETER is threshold, smoothing, low_limit or high_limit, with a VALUE. With " +
    "--activate or --deactivate it is left out: loaded means what was loaded before (IOA 0), " +
    "object the parameters of the object, cyclic its cyclic transmission.\n\n" +
    "Exit code 1 when the RTU refuses, or does not answer in time.",
  options: [
    {
      name: "form",
      value: "FORM",
      choices: ["float", "scaled", "normalized"],
      summary: "Of the value (default float)",
    },
    {
      name: "activate",
      value: "WHAT",
      choices: ["loaded", "object", "cyclic"],
      summary: "Activates it",
    },
    {
      name: "deactivate",
      value: "WHAT",
      choices: ["loaded", "object", "cyclic"],
      summary: "Deactivates it",
    },
    ...TARGET_OPTIONS,
  ],
  args: [
    RTU,
    PLACE,
    { name: "parameter", summary: "Which one", optional: true },
    { name: "value", summary: "What it shall be", optional: true },
  ],
  examples: [
    "busbar fep parameter gz_01 1/201 threshold 2.5",
    "busbar fep parameter gz_01 1/201 --deactivate cyclic",
  ],
  async run(call) {
    const given = new Arguments("fep parameter", call);
    const [, place = "", parameter, value] = call.args;
    const [on, off] = [given.text("activate"), given.text("deactivate")];
    const act = on ?? off;
    if (on !== undefined && off !== undefined) given.fail("--activate or --deactivate, not both");
    if ((act === undefined) === (parameter === undefined)) {
      given.fail("Either PARAMETER and VALUE, or --activate or --deactivate");
    }
    const number = Number(value);
    if (act === undefined && (value === undefined || value === "" || !Number.isFinite(number))) {
      given.fail(`VALUE must be a number, not "${value ?? ""}"`);
    }
    const form = given.text("form");
    const body = act === undefined
      ? { parameter: parameter!, value: number, ...(form === undefined ? {} : { form }) }
      : { act, activate: on !== undefined };
    const done = await ask(call, "parameter", { ...placeOf(given, place, "ADDRESS"), ...body });
    if (!done) return EXIT.failed;
    call.terminal.out("Done");
    return EXIT.ok;
  },
};

/** `busbar fep files`. */
export const fepFilesCommand: Command = {
  name: "fep files",
  summary: "Lists the files of an RTU, such as its disturbance records",
  details: "Exit code 1 when the RTU has no directory, or does not answer in time.",
  options: [
    { name: "common_address", value: "CA", summary: "Of which station; else the first of the RTU" },
    { name: "json", summary: "JSON lines" },
    ...TARGET_OPTIONS,
  ],
  args: [RTU],
  examples: ["busbar fep files gz_01"],
  async run(call) {
    const given = new Arguments("fep files", call);
    const coa = given.whole("common_address", 1, 65_534);
    const answer = await ask(call, "files", coa === undefined ? {} : { coa });
    if (!answer) return EXIT.failed;
    const files = answer.files as readonly JsonObject[];
    const { terminal, options } = call;
    if (options.json) { for (const file of files) terminal.out(JSON.stringify(file)); }
    else {
      const heads = ["ADDRESS", "FILE", "OCTETS", "TIME", "STATE"].map((title) => ({ title }));
      const rows = files.map(({ coa, ioa, file, length, at, directory, active }) => [
        `${coa}/${ioa}`,
        String(file),
        String(length),
        at === null ? "" : timeText(Number(at)),
        directory ? "directory" : active ? "in transfer" : "",
      ]);
      for (const line of table(heads, rows, terminal.columns)) terminal.out(line);
    }
    return EXIT.ok;
  },
};

/** `busbar fep fetch`. */
export const fepFetchCommand: Command = {
  name: "fep fetch",
  summary: "Fetches a file from an RTU",
  details:
    "FILE is its number in the list of `busbar fep files`. Every section and the whole are " +
    "checked by their checksums. The longest file is `file_max` of the RTU's configuration.\n\n" +
    "Exit code 1 when it cannot be had.",
  options: [
    {
      name: "output",
      short: "o",
      value: "PATH",
      summary: "Where it is written (default <rtu>-<CA>-<IOA>-<file>.bin)",
    },
    ...TARGET_OPTIONS,
  ],
  args: [RTU, PLACE, { name: "file", summary: "Its number" }],
  examples: ["busbar fep fetch gz_01 1/9001 2 -o record.bin"],
  async run(call) {
    const given = new Arguments("fep fetch", call);
    const [rtu = "", place = "", file = ""] = call.args;
    const { coa, ioa } = placeOf(given, place, "ADDRESS");
    if (!/^\d{1,5}$/.test(file)) given.fail(`FILE must be a number, not "${file}"`);
    const answer = await ask(call, "fetch", { coa, ioa, file: Number(file) });
    if (!answer) return EXIT.failed;
    const path = given.text("output") ?? `${rtu}-${coa}-${ioa}-${file}.bin`;
    try {
      await Deno.writeFile(`${path}.part`, Uint8Array.fromBase64(answer.base64 as string));
      await Deno.rename(`${path}.part`, path);
    } catch (error) {
      const what = `${path} cannot be written: ${describe(error)}`;
      throw new OsError("os.file", what, { path }, { cause: error });
    }
    call.terminal.out(`${path}: ${answer.length} octets`);
    return EXIT.ok;
  },
};
