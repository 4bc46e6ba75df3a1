/** `busbar sim rtu|scada`: the other ends of the front end, for tests and commissioning. */
import { ConfigError } from "../../base/errors.ts";
import type { Millis } from "../../base/time.ts";
import { checkValue } from "../../kernel/schema_fields.ts";
import { readYaml } from "../../kernel/yaml_text.ts";
import { SYSTEM_FILES } from "../../platform/files.ts";
import type { Endpoint } from "../../platform/ports.ts";
import { parseLinks } from "../../south/iec104_master/links.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { PROFILE, type Profile, PROFILE_DEFAULT } from "../sim_profile.ts";
import { SimRtu } from "../sim_rtu.ts";
import { SimScada } from "../sim_scada.ts";

const LISTEN_DEFAULT = "127.0.0.1:2404";

/** `busbar sim rtu`. */
export const simRtuCommand: Command = {
  name: "sim rtu",
  summary: "A simulated RTU, with a profile of points, bursts and faults",
  details: "It keeps events that were not confirmed, as a good RTU does, and answers " +
    "interrogations, reads, commands, parameters, file transfer, clock and test. What happens is " +
    "told on stderr; at its end it prints one JSON object: made, confirmed, dropped, " +
    "connections, commands.\n\n" +
    "Profile (YAML): common_address; points, each with ioa, count, type, change (toggle, ramp, " +
    "sine, random, numbers, still), from, to, every, group; files, each with ioa, file, length; " +
    "bursts with every and count; drop_every; refuse_commands; queue.",
  options: [
    { name: "listen", value: "HOST:PORT", summary: `Where (default ${LISTEN_DEFAULT})` },
    { name: "profile", value: "FILE", summary: "What it is made of; else a small station" },
    { name: "duration", short: "d", value: "SPAN", summary: "How long; else until Ctrl-C" },
  ],
  args: [],
  examples: ["busbar sim rtu --listen 127.0.0.1:2404 --profile rtu.yaml"],
  run: (call) => runRtu(call),
};

/** `busbar sim scada`. */
export const simScadaCommand: Command = {
  name: "sim scada",
  summary: "A simulated control centre that checks sequence and completeness",
  details: "It connects again whenever it has to, starts, interrogates, and takes everything. " +
    "Counters and bitstrings that count up by one are checked for numbers left out, repeated, or " +
    "out of their order. At its end it prints one JSON object.\n\n" +
    "Exit code 1 when anything is missing or disordered, or nothing came.",
  options: [
    { name: "common_address", value: "CA", summary: "What is interrogated (default 1)" },
    { name: "events", summary: "Shows every object as it comes" },
    { name: "duration", short: "d", value: "SPAN", summary: "How long; else until Ctrl-C" },
  ],
  args: [{ name: "address", summary: "HOST:PORT of the front end" }],
  examples: ["busbar sim scada 127.0.0.1:2501 -d 1m"],
  run: (call) => runScada(call),
};

async function runRtu(call: Invocation): Promise<number> {
  const given = new Arguments("sim rtu", call);
  const endpoint = endpointOf(given, given.text("listen") ?? LISTEN_DEFAULT);
  const profile = await profileOf(given.text("profile"));
  const rtu = new SimRtu(profile, (line) => call.terminal.err(line));
  await rtu.run(endpoint, until(call, given.span("duration")));
  call.terminal.out(JSON.stringify(rtu.report));
  return EXIT.ok;
}

async function runScada(call: Invocation): Promise<number> {
  const given = new Arguments("sim scada", call);
  const endpoint = endpointOf(given, call.args[0] ?? "");
  const address = given.whole("common_address", 1, 65_535) ?? 1;
  const shown = given.flag("events") ? (line: string) => call.terminal.out(line) : undefined;
  const scada = new SimScada(endpoint, address, (line) => call.terminal.err(line), shown);
  await scada.run(until(call, given.span("duration")));
  const { report } = scada;
  call.terminal.out(JSON.stringify(report));
  const good = report.events > 0 && report.missing === 0 && report.disordered === 0;
  return good ? EXIT.ok : EXIT.failed;
}

function until(call: Invocation, span: Millis | undefined): AbortSignal {
  return span === undefined
    ? call.signal
    : AbortSignal.any([call.signal, AbortSignal.timeout(span)]);
}

function endpointOf(given: Arguments, text: string): Endpoint {
  const links = parseLinks(text);
  if (typeof links === "string") return given.fail(`"${text}" ${links}`);
  return links[0]!;
}

/** Reads and checks a profile. @throws ConfigError with everything that is wrong. */
async function profileOf(path: string | undefined): Promise<Profile> {
  const { value, faults } = path === undefined
    ? { value: PROFILE_DEFAULT, faults: [] }
    : readYaml(await SYSTEM_FILES.read(path));
  const wrong = faults.map(({ line, message }) => `line ${line}: ${message}`);
  const result = wrong.length === 0 ? checkValue(PROFILE, value) : undefined;
  if (result && result.issues === undefined) return result.value;
  for (const { path: place, message } of result?.issues ?? []) {
    wrong.push(`${place.join(".")} ${message}`);
  }
  throw new ConfigError("sim.profile", `Profile ${path}: ${wrong.join("; ")}`);
}
