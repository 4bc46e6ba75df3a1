/** `busbar srt live-transmit SRC DST`: carries a stream from one address to another. */
import { AppError, describe } from "../../base/errors.ts";
import { after, type Instant, millis, seconds } from "../../base/time.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { openEnd, type StreamEnd } from "../srt_ends.ts";

const NAME = "srt live-transmit";
const STEP = millis(1);
/** Messages of one step. */
const BURST = 512;
/** How long what was written may take to leave at the end. */
const LAST_WORDS = seconds(3);

/** Carries a stream. */
export const srtTransmitCommand: Command = {
  name: NAME,
  summary: "Carries a stream between srt://, udp://, file:// and - (standard input and output)",
  details: "An srt:// address with a host calls, one without (srt://:9000) listens; ?mode= says " +
    "otherwise. Options behind the question mark: latency (ms), streamid, passphrase, pbkeylen, " +
    "maxbw, inputbw (octets/s; 0: as it comes), oheadbw (percent), conntimeo (ms), " +
    "kmrefreshrate, kmpreannounce, transtype=file (reliable).\n\n" +
    "Ends with its source, or on Ctrl-C. Exit code 1 when a connection is refused or lost.",
  options: [
    { name: "chunk", value: "N", summary: "Octets of a message out of a file; 1316 if absent" },
    { name: "stats", value: "SPAN", summary: "Prints statistics on stderr, again and again" },
  ],
  args: [
    { name: "source", summary: "Where it comes from" },
    { name: "target", summary: "Where it goes" },
  ],
  examples: [
    "busbar srt live-transmit udp://:5000 'srt://10.0.0.1:2350?streamid=cam1'",
    "busbar srt live-transmit srt://:9000 file:///tmp/stream.ts",
  ],
  run: transmit,
};

async function transmit(call: Invocation): Promise<number> {
  const given = new Arguments(NAME, call);
  const [from, to] = call.args;
  if (from === undefined || to === undefined) return given.fail("A source and a target are needed");
  const chunk = given.whole("chunk", 1, 1456) ?? 1316;
  const every = given.span("stats");
  const source = await openEnd(from, "source", chunk);
  let target: StreamEnd | undefined;
  try {
    target = await openEnd(to, "target", chunk);
    return await carry(source, target, call, every);
  } finally {
    const now = performance.now() as Instant;
    source.close(now);
    target?.close(now);
  }
}

async function carry(
  source: StreamEnd,
  target: StreamEnd,
  { signal, terminal }: Invocation,
  every: number | undefined,
): Promise<number> {
  const clock = new SystemClock();
  let held: Uint8Array | undefined;
  let tellAt = every === undefined ? Infinity : clock.now() + every;
  let lastAt: Instant | undefined;
  while (!signal.aborted) {
    const now = clock.now();
    try {
      source.work(now);
      target.work(now);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      terminal.err(describe(error));
      return EXIT.failed;
    }
    if (target.ready) {
      for (let count = 0; count < BURST; count += 1) {
        held ??= source.read(now);
        if (held === undefined || !target.write(held, now)) break;
        held = undefined;
      }
      target.work(now);
    }
    if (now >= tellAt) {
      terminal.err(JSON.stringify({ source: source.facts(), target: target.facts() }));
      tellAt = now + every!;
    }
    if (target.ended) {
      terminal.err("The target has closed the connection");
      return EXIT.failed;
    }
    if (source.ended && held === undefined) {
      lastAt ??= after(now, LAST_WORDS);
      if (target.drained || now >= lastAt) break;
    }
    await pause(clock, STEP, signal);
  }
  return EXIT.ok;
}
