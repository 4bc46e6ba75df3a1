/** `busbar pile …`: the charging piles of the running busbar. */
import { AppError, describe, LinkDownError } from "../../base/errors.ts";
import { millis } from "../../base/time.ts";
import type { Json } from "../../kernel/registry.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { SYSTEM_FILES } from "../../platform/files.ts";
import { PILE_STATES } from "../../protocol/cip22/mod.ts";
import type { Output } from "../../south/pile_gateway/mapping.ts";
import { Arguments } from "../arguments.ts";
import { ControlClient, controlTarget, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { NO_GATEWAY, NO_GATEWAY_CODE, type PileShown, type Shown, shownBy } from "../pile_shown.ts";
import { OUTCOMES, timeText } from "../point_words.ts";
import { table } from "../table.ts";
import { showOrWatch, WATCH_OPTION } from "../watching.ts";
import { pilePointsCommand } from "./pile_points.ts";
import { pileSignCommands } from "./pile_sign.ts";

const EVERY_DEFAULT = millis(1000);
const EVERY_MIN = millis(100);
/** Longer than `command_within` can be. */
const PATIENCE_MS = 610_000;
const LIMIT_MAX = 0xffff_ffff;

const PREFIX = { name: "prefix", summary: "How their names begin", optional: true } as const;
const PILE = { name: "pile", summary: "Its name in the register" } as const;

function startingWith(piles: readonly PileShown[], { args: [prefix = ""] }: Invocation) {
  return piles.filter(({ pile }) => pile.startsWith(prefix));
}

const listCommand: Command = {
  name: "pile list",
  summary: "Shows every pile of the register, and how it fares",
  details:
    "Of a pile that is offline the rest is what it has told last, and HEARD is when. FAULT is " +
    "its code, with ! where it endangers people. POLICY and VERSION are what it says it has.",
  options: [
    { name: "state", value: "STATE", choices: PILE_STATES, summary: "Only those in this state" },
    { name: "json", summary: "One JSON object for each pile" },
    WATCH_OPTION,
    ...TARGET_OPTIONS,
  ],
  args: [PREFIX],
  examples: ["busbar pile list --state fault", "busbar pile list pile-00 --watch"],
  run: (call) => showOrWatch("pile list", call, list),
};

async function list(client: ControlClient, call: Invocation): Promise<number> {
  const { options, terminal } = call;
  const shown = await shownBy(client);
  const piles = startingWith(shown.piles, call)
    .filter(({ state }) => options.state === undefined || state === options.state);
  if (options.json) {
    for (const pile of piles) terminal.out(JSON.stringify(pile));
    return EXIT.ok;
  }
  terminal.out(headOf(shown));
  if (piles.length === 0) terminal.out("There is no such pile");
  else for (const line of lines(piles, terminal.columns)) terminal.out(line);
  return EXIT.ok;
}

function headOf({ sessions, policy, auth_ms: { count, p50, p99 } }: Shown): string {
  const one = sessions === 1 ? "session" : "sessions";
  const policyText = policy ? `policy ${policy.id} version ${policy.version}` : "no policy";
  const latency = count === 0
    ? "no authentication yet"
    : `authentication p50 ${p50} ms, p99 ${p99} ms`;
  return `${sessions} ${one}, ${policyText}, ${latency}`;
}

function lines(piles: readonly PileShown[], columns: number): string[] {
  const right = "right" as const;
  return table(
    [
      { title: "PILE" },
      { title: "STATE" },
      { title: "RELAY" },
      { title: "POWER", align: right },
      { title: "ENERGY", align: right },
      { title: "FAULT", align: right },
      { title: "POLICY", align: right },
      { title: "VERSION" },
      { title: "HEARD" },
    ],
    piles.map((pile) => [
      pile.pile,
      pile.state,
      relayText(pile),
      `${pile.power} W`,
      `${pile.energy} Wh`,
      faultText(pile),
      pile.policy === 0 ? "" : String(pile.policy),
      pile.version,
      pile.heard ?? "never",
    ]),
    columns,
  );
}

function relayText({ closed }: PileShown): string {
  return closed ? "closed" : "open";
}

function faultText({ fault, hazard }: PileShown): string {
  return `${fault === 0 ? "" : fault}${hazard ? "!" : ""}`;
}

const watchCommand: Command = {
  name: "pile watch",
  summary: "Shows piles as they change, until Ctrl-C",
  details:
    "A line for each pile whose state, relay or fault is another one than at the last look, " +
    "with the time of the look; first one for each pile.",
  options: [
    { name: "every", value: "SPAN", summary: "How often it is looked (default 1s)" },
    { name: "json", summary: "JSON lines" },
    ...TARGET_OPTIONS,
  ],
  args: [PREFIX],
  examples: ["busbar pile watch pile-00 --every 250ms"],
  run: watch,
};

async function watch(call: Invocation): Promise<number> {
  const { terminal, signal } = call;
  const span = new Arguments("pile watch", call).span("every") ?? EVERY_DEFAULT;
  const every = millis(Math.max(EVERY_MIN, span));
  const client = new ControlClient(await controlTarget(call));
  const clock = new SystemClock();
  const known = new Map<string, string>();
  let away = false;
  for (let looked = false; !signal.aborted; looked = true) {
    try {
      const { piles } = await shownBy(client);
      tellChanges(call, startingWith(piles, call), known, clock.epoch());
      away = false;
    } catch (error) {
      const passes = error instanceof LinkDownError ||
        (looked && error instanceof AppError && error.code === NO_GATEWAY_CODE);
      if (!passes) throw error;
      if (!away) terminal.err(describe(error));
      away = true;
    }
    await pause(clock, every, signal);
  }
  return EXIT.ok;
}

/** A line for each change since the last look, which `known` has. */
function tellChanges(
  { terminal, options }: Invocation,
  piles: readonly PileShown[],
  known: Map<string, string>,
  epoch: number,
): void {
  const at = timeText(epoch);
  for (const pile of piles) {
    const { state, closed, fault, hazard } = pile;
    const now = `${state} ${closed} ${fault} ${hazard}`;
    if (known.get(pile.pile) === now) continue;
    known.set(pile.pile, now);
    const told = faultText(pile);
    if (options.json) {
      terminal.out(JSON.stringify({ at, pile: pile.pile, state, closed, fault, hazard }));
    } else {
      const rest = told === "" ? "" : `, fault ${told}`;
      terminal.out(`${at}  ${pile.pile}  ${state}, relay ${relayText(pile)}${rest}`);
    }
  }
  const there = new Set(piles.map(({ pile }) => pile));
  for (const pile of [...known.keys()].filter((name) => !there.has(name))) {
    known.delete(pile);
    if (options.json) terminal.out(JSON.stringify({ at, pile, state: "removed" }));
    else terminal.out(`${at}  ${pile}  is not in the register any more`);
  }
}

/** Posts something. @returns The answer; undefined when it was no answer, which has been told. */
async function post(call: Invocation, path: string, body: Json): Promise<
  { readonly status: number; readonly body: Readonly<Record<string, Json>> } | undefined
> {
  const client = new ControlClient(await controlTarget(call));
  const answer = await client.request("POST", path, body, PATIENCE_MS);
  const fields = (answer.body ?? {}) as Record<string, Json>;
  const { error } = fields;
  if (error === undefined && (answer.status < 300 || fields.outcome !== undefined)) {
    return { status: answer.status, body: fields };
  }
  // The port itself knows no such path where there is no gateway.
  const unknown = answer.status === 404 && String(error).startsWith("There is no /");
  const hint = answer.status === 401 ? ". Set $BUSBAR_TOKEN to control.token" : "";
  const text = error === undefined ? `The control port answered ${answer.status}` : String(error);
  call.terminal.err(unknown ? NO_GATEWAY : `${text}${hint}`);
  return undefined;
}

/** Gives a command, and tells why it was not done. @returns Whether it was. */
async function order(call: Invocation, output: Output, value: boolean | number): Promise<boolean> {
  const pile = call.args[0] ?? "";
  const answer = await post(call, "/piles/command", { pile, output, value });
  if (!answer) return false;
  const { outcome, why } = answer.body as { outcome: string; why?: string };
  if (outcome === "done") return true;
  call.terminal.err(`${OUTCOMES[outcome] ?? outcome}${why === undefined ? "" : `: ${why}`}`);
  return false;
}

async function orders(
  call: Invocation,
  all: readonly (readonly [output: Output, value: boolean | number])[],
): Promise<number> {
  for (const [output, value] of all) {
    if (!await order(call, output, value)) return EXIT.failed;
  }
  call.terminal.out("Done");
  return EXIT.ok;
}

const EXIT_DETAILS = "It is in the audit, whatever becomes of it.\n\nExit code 1 when it was not " +
  "done; stderr says why.";

/** A command of one output, which is switched. */
function switches(
  word: string,
  summary: string,
  output: Output,
  value: boolean,
  details = "",
): Command {
  return {
    name: `pile ${word}`,
    summary,
    details: `${details}${EXIT_DETAILS}`,
    options: TARGET_OPTIONS,
    args: [PILE],
    examples: [`busbar pile ${word} pile-0001`],
    run: (call) => orders(call, [[output, value]]),
  };
}

const startCommand: Command = {
  name: "pile start",
  summary: "Lets a pile charge",
  details: "With --limit the limit is set first; when that is refused, charging does not begin. " +
    EXIT_DETAILS,
  options: [
    { name: "limit", value: "WATTS", summary: "Most that it may take" },
    ...TARGET_OPTIONS,
  ],
  args: [PILE],
  examples: ["busbar pile start pile-0001 --limit 3500"],
  run(call) {
    const limit = new Arguments("pile start", call).whole("limit", 0, LIMIT_MAX);
    const first = limit === undefined ? [] : [["set_limit", limit] as const];
    return orders(call, [...first, ["charge", true]]);
  },
};

const limitCommand: Command = {
  name: "pile limit",
  summary: "Sets the most that a pile may take",
  details: EXIT_DETAILS,
  options: TARGET_OPTIONS,
  args: [PILE, { name: "watts", summary: `0 to ${LIMIT_MAX}` }],
  examples: ["busbar pile limit pile-0001 3500"],
  run(call) {
    const [, text = ""] = call.args;
    const watts = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    if (!(watts <= LIMIT_MAX)) {
      const given = new Arguments("pile limit", call);
      given.fail(`WATTS must be a whole number from 0 to ${LIMIT_MAX}, not "${text}"`);
    }
    return orders(call, [["set_limit", watts]]);
  },
};

const policyCommand: Command = {
  name: "pile policy",
  summary: "Shows the tariff policy in force, or gives another one",
  details: "FILE is a signed policy, as `busbar pile sign-policy` makes it. It is given to every " +
    "pile, and kept where pile_gateway.policy says.\n\nExit code 1 when it is not taken.",
  options: [{ name: "json", summary: "As one JSON object" }, ...TARGET_OPTIONS],
  args: [{ name: "file", summary: "The signed policy", optional: true }],
  examples: ["busbar pile policy", "busbar pile policy spring.json"],
  async run(call) {
    const [file] = call.args;
    if (file === undefined) return await showPolicy(call);
    const answer = await post(call, "/piles/policy", await SYSTEM_FILES.read(file));
    if (!answer) return EXIT.failed;
    const { version } = answer.body;
    if (call.options.json) call.terminal.out(JSON.stringify({ version }));
    else call.terminal.out(`Version ${version} was taken; every pile that is there is given it`);
    return EXIT.ok;
  },
};

async function showPolicy(call: Invocation): Promise<number> {
  const { policy, piles } = await shownBy(new ControlClient(await controlTarget(call)));
  const having = piles.filter((pile) => pile.policy === policy?.version).length;
  if (call.options.json) {
    const shown = policy ? { ...policy, having, piles: piles.length } : null;
    call.terminal.out(JSON.stringify(shown));
  } else if (!policy) call.terminal.out("There is no policy");
  else {
    const { id, version } = policy;
    call.terminal.out(`${id} version ${version}; ${having} of ${piles.length} piles have it`);
  }
  return EXIT.ok;
}

const reloadCommand: Command = {
  name: "pile reload",
  summary: "Reads the register of piles again",
  details: "New piles may connect at once; sessions of piles that are not in it any more are " +
    "closed. A register with anything wrong in it changes nothing.\n\n" +
    "Exit code 1 when it cannot be taken.",
  options: TARGET_OPTIONS,
  args: [],
  async run(call) {
    const answer = await post(call, "/piles/reload", {});
    if (!answer) return EXIT.failed;
    call.terminal.out(`Piles in the register: ${answer.body.piles}`);
    return EXIT.ok;
  },
};

/** All of them. */
export const pileCommands: readonly Command[] = [
  listCommand,
  watchCommand,
  startCommand,
  switches("stop", "Ends the charging of a pile", "charge", false),
  limitCommand,
  switches("unlock", "Unlocks the connector of a pile", "unlock", true),
  switches(
    "confirm",
    "Confirms that a cleared fault of a pile is over",
    "confirm",
    true,
    "For a person who has looked at the pile. It is refused while the fault is there. ",
  ),
  switches("restart", "Restarts a pile", "restart", true),
  switches(
    "upgrade",
    "Installs the configured firmware image on a pile",
    "upgrade",
    true,
    "The image is that of pile_gateway.image; the pile takes it when its signature holds. ",
  ),
  policyCommand,
  reloadCommand,
  pilePointsCommand,
  ...pileSignCommands,
];
