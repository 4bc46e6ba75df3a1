/** `busbar demo fep`: a whole front end to look at, without any device. */
import { seconds } from "../../base/time.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { parseLinks } from "../../south/iec104_master/links.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { DEMO_RTUS, demoFep, type DemoReport } from "../demo_fep.ts";

const CONTROL_DEFAULT = "127.0.0.1:5555";
const TELL_EVERY = seconds(5);

/** See the module. */
export const demoFepCommand: Command = {
  name: "demo fep",
  summary: "Two simulated RTUs, the front end, a control centre: on loopback, until Ctrl-C",
  details: "The front end is the real one, with its journal in a folder that is removed at the " +
    "end, and its control port where `busbar status` looks for it. What reaches the control " +
    "centre is counted and checked; at its end it prints one JSON object.\n\n" +
    "Exit code 1 when anything is missing or disordered, or nothing came.",
  options: [
    {
      name: "control",
      value: "HOST:PORT",
      summary: `Where its control port listens (default ${CONTROL_DEFAULT})`,
    },
    { name: "verbose", short: "v", summary: "Tells what the simulated peers do" },
    { name: "duration", short: "d", value: "SPAN", summary: "How long; else until Ctrl-C" },
  ],
  args: [],
  examples: ["busbar demo fep", "busbar demo fep -d 1m"],
  run: (call) => run(call),
};

async function run(call: Invocation): Promise<number> {
  const given = new Arguments("demo fep", call);
  const { terminal } = call;
  const asked = given.text("control") ?? CONTROL_DEFAULT;
  const links = parseLinks(asked);
  if (typeof links === "string") return given.fail(`--control "${asked}" ${links}`);
  const [control] = links;
  const span = given.span("duration");
  const signal = span === undefined
    ? call.signal
    : AbortSignal.any([call.signal, AbortSignal.timeout(span)]);
  const verbose = given.flag("verbose") === true;
  let now: () => DemoReport = () => {
    throw new Error("It has not begun");
  };
  await demoFep({
    control: control!,
    terminal,
    signal,
    told: (line) => verbose && terminal.err(line),
    ready: ({ host, port }) => {
      for (const line of guide(asked, `${host}:${port}`)) terminal.err(line);
      void tell(signal, () => now(), (line) => terminal.err(line));
    },
  }, (counts) => now = counts);
  const report = now();
  terminal.out(JSON.stringify(report));
  const good = report.events > 0 && report.missing === 0 && report.disordered === 0;
  return good ? EXIT.ok : EXIT.failed;
}

function guide(control: string, centre: string): string[] {
  const at = control === CONTROL_DEFAULT ? "" : ` --control ${control}`;
  const [rtu] = DEMO_RTUS;
  return [
    `Two RTUs (${DEMO_RTUS.join(", ")}), a front end and a control centre run until Ctrl-C.`,
    "Look at them from another terminal:",
    `  busbar status --watch${at}`,
    `  busbar fep rtus --watch${at}`,
    `  busbar points watch ${rtu}.yx${at}`,
    `  busbar fep command ${rtu} 1/301 on${at}`,
    `  busbar trace iec104_master.${rtu} objects${at}`,
    `A control centre of your own may connect to ${centre} too.`,
  ];
}

async function tell(
  signal: AbortSignal,
  now: () => DemoReport,
  say: (line: string) => void,
): Promise<void> {
  const clock = new SystemClock();
  while (!signal.aborted) {
    await pause(clock, TELL_EVERY, signal);
    if (signal.aborted) return;
    const { made, events, missing, repeated } = now();
    say(`${made} events made, ${events} at the centre, ${missing} missing, ${repeated} repeated`);
  }
}
