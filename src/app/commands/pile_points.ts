/** `busbar pile points`: the point table by which control centres see and command piles. */
import { writeCsv } from "../../points/csv.ts";
import { SYSTEM_FILES } from "../../platform/files.ts";
import {
  type Input,
  INPUTS,
  type Output,
  OUTPUTS,
  pointOf,
} from "../../south/pile_gateway/mapping.ts";
import { readPiles } from "../../south/pile_gateway/register.ts";
import { Arguments } from "../arguments.ts";
import { ControlClient, controlTarget, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { shownBy } from "../pile_shown.ts";

/** Addresses of each pile in a point table. */
const BLOCK = 16;
/** Where the commands of a pile begin in its block: what is told has room to grow before them. */
const OUTPUTS_AT = 10;
const ADDRESS_MAX = 0xff_ffff;

/** The command. */
export const pilePointsCommand: Command = {
  name: "pile points",
  summary: "Prints a point table of the piles, for `busbar points import`",
  details:
    `Each pile has ${BLOCK} addresses, in the order of the register: what it tells from the ` +
    `first on, its commands from the eleventh on. So a new pile belongs at the end of the ` +
    "register. Control centres then see and command piles by IEC 60870-5-104 " +
    "(modules: iec104_slave).",
  options: [
    { name: "common_address", value: "CA", summary: "Of all of them (default 1)" },
    { name: "first", value: "IOA", summary: "Address of the first pile (default 1)" },
    { name: "register", value: "FILE", complete: "file", summary: "Asks no gateway, reads this" },
    { name: "station", value: "NAME", summary: "With --register (default piles)" },
    ...TARGET_OPTIONS,
  ],
  args: [],
  examples: [
    "busbar pile points --common-address 7 | busbar points import -",
    "busbar pile points --register piles.csv --first 16385 > points.csv",
  ],
  run: points,
};

async function points(call: Invocation): Promise<number> {
  const given = new Arguments("pile points", call);
  const commonAddress = given.whole("common_address", 1, 65_534) ?? 1;
  const first = given.whole("first", 1, ADDRESS_MAX) ?? 1;
  const { station, piles } = await site(given);
  const last = first + piles.length * BLOCK - 1;
  if (last > ADDRESS_MAX) {
    given.fail(`--first leaves no room: the last of ${piles.length} piles would end at ${last}`);
  }
  const rows = piles.flatMap((pile, index) =>
    pilePoints(station, pile, commonAddress, first + index * BLOCK)
  );
  call.terminal.raw(new TextEncoder().encode(writeCsv([COLUMNS, ...rows])));
  return EXIT.ok;
}

/** The piles, in the order of the register, and the first word of their points. */
async function site(given: Arguments): Promise<{ station: string; piles: readonly string[] }> {
  const file = given.text("register");
  const station = given.text("station");
  if (file === undefined) {
    if (station !== undefined) given.fail("--station goes with --register");
    const shown = await shownBy(new ControlClient(await controlTarget(given.call)));
    return { station: shown.station, piles: shown.piles.map(({ pile }) => pile) };
  }
  const { rows, faults } = readPiles(await SYSTEM_FILES.read(file));
  if (faults.length > 0) given.fail(`${file}: ${faults.join("; ")}`);
  return { station: station ?? "piles", piles: [...rows.keys()] };
}

const COLUMNS = [
  ...["tag_station", "coa", "ioa", "point", "kind", "unit", "description", "command"],
] as const;

type Told = readonly [unit: string, description: string];

/** Units and descriptions of what {@linkcode INPUTS} has. */
const TOLD: Readonly<Record<Exclude<Input, "version" | "trade">, Told>> = {
  online: ["", "its session is open"],
  state: ["", "0 offline, 1 standby, 2 charging, 3 fault, 4 upgrading"],
  closed: ["", "the relay is closed"],
  power: ["W", "power"],
  energy: ["Wh", "energy"],
  limit: ["W", "most power that it may take"],
  fault: ["", "code of the fault, 0 for none"],
  hazard: ["", "the fault endangers people"],
  policy: ["", "version of the tariff"],
};

/** The same of {@linkcode OUTPUTS}. */
const TAKEN: Readonly<Record<Output, Told>> = {
  charge: ["", "on starts, off stops"],
  "set_limit": ["W", "sets the most power"],
  unlock: ["", "on unlocks the connector"],
  confirm: ["", "on confirms that a cleared fault is over"],
  restart: ["", "on restarts it"],
  upgrade: ["", "on installs the configured image"],
};

function pilePoints(station: string, pile: string, commonAddress: number, first: number) {
  const row = (
    name: Input | Output,
    offset: number,
    kind: string,
    [unit, text]: Told,
    form: string,
  ): string[] => [
    station,
    `${commonAddress}`,
    `${first + offset}`,
    ...[pointOf(station, pile, name), kind, unit, `${pile}: ${text}`, form],
  ];
  return [
    ...INPUTS.map(([name, kind], index) => row(name, index, kind, TOLD[name], "")),
    ...OUTPUTS.map((name, index) => {
      const [kind, form] = name === "set_limit" ? ["ao", "float"] : ["do", "single"];
      return row(name, OUTPUTS_AT + index, kind!, TAKEN[name], form!);
    }),
  ];
}
