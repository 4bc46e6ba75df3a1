/** `busbar goose listen`: a subscriber for commissioning, which also tells why a frame is not taken. */
import { OsError } from "../../base/errors.ts";
import { after, millis } from "../../base/time.ts";
import type { JsonObject } from "../../kernel/registry.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { PacketReceiver } from "../../platform/linux/packet.ts";
import { LinuxPoller } from "../../platform/linux/poll.ts";
import { formatMac, parseMac, shown } from "../../protocol/goose/mod.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import {
  type Criteria,
  hex16,
  judge,
  type Refused,
  refusedJson,
  refusedLine,
  Streams,
  takenJson,
  takenLine,
} from "../goose_frames.ts";
import { table } from "../table.ts";

const NAME = "goose listen";
/** Longest time that an interrupt has to wait. */
const WAIT_MS = 50;
/** Batches between two looks at the interrupt. */
const BATCHES = 32;
/** How often the same reason for the same source is shown, unless all are asked for. */
const SAME_MAX = 3;
/** Different reasons that are counted apart. */
const REASONS_MAX = 1024;

const OPTIONS: readonly Option[] = [
  {
    name: "interface",
    short: "i",
    value: "NAME",
    complete: "interface",
    summary: "Where to listen: a TAP, or any Ethernet interface",
  },
  { name: "count", short: "n", value: "N", summary: "End after so many frames were taken" },
  { name: "duration", short: "d", value: "SPAN", summary: "End after this time, such as 10s" },
  { name: "appid", value: "ID", summary: "Take this APPID only, such as 0x1000" },
  { name: "gocbref", value: "REF", summary: "Take this control block only" },
  { name: "dst", value: "MAC", summary: "Take frames to this address only" },
  { name: "vlan", value: "ID", summary: "Take this VLAN only; none: frames without a tag" },
  {
    name: "all",
    short: "a",
    summary: "Show every frame that is not taken, of any EtherType, each time",
  },
  { name: "outgoing", summary: "Take what this host itself sends too" },
  { name: "promiscuous", negatable: true, summary: "Hear frames to other addresses; the default" },
  { name: "quiet", short: "q", summary: "Show the counts at the end only" },
  { name: "json", summary: "One JSON object per line; the last one has the counts" },
];

/** The command. */
export const gooseListenCommand: Command = {
  name: NAME,
  summary: "Subscribe: show GOOSE frames, and why a frame is not taken",
  details:
    "A line has time, source and destination, APPID, VLAN/priority, gocbRef, stNum, sqNum, " +
    "time allowed to live, age (since the values changed, by the publisher's clock) and values. " +
    "At the end come the counts of each stream: what was lost, twice, out of order.\n\n" +
    "Exit code 1 when --duration passed before --count frames were taken. Needs root, or the " +
    "capability NET_RAW.",
  options: OPTIONS,
  args: [],
  examples: [
    "busbar goose listen --interface goose0",
    "busbar goose listen -i goose0 --count 10 --duration 5s --json",
  ],
  run: (call) => listen(call),
};

async function listen(call: Invocation): Promise<number> {
  const given = new Arguments(NAME, call);
  const count = given.whole("count", 1, 1e15);
  const duration = given.span("duration");
  const wanted = criteriaOf(given);
  const view = new View(call, wanted);
  using receiver = PacketReceiver.open({
    interface: given.required("interface"),
    filter: given.flag("all") === true ? "all" : "station",
    promiscuous: given.flag("promiscuous") ?? true,
    outgoing: given.flag("outgoing") ?? false,
  });
  const poller = new LinuxPoller();
  poller.watch(receiver);
  const clock = new SystemClock();
  const end = duration === undefined ? undefined : after(clock.now(), duration);
  const full = () => count !== undefined && view.taken >= count;
  const late = () => end !== undefined && clock.now() >= end;
  const take = (frame: Uint8Array, epochMs: number) => {
    if (!full()) view.show(frame, epochMs);
  };
  let lost: OsError | undefined;
  try {
    while (!call.signal.aborted && !full() && !late()) {
      const left = end === undefined ? WAIT_MS : Math.max(0, Math.min(WAIT_MS, end - clock.now()));
      poller.wait(Math.ceil(left));
      for (let batch = 0; batch < BATCHES && !full(); batch += 1) {
        if (receiver.receive(take) === 0) break;
      }
      // Blocking in poll(2) keeps the signal from being seen; this is its turn.
      await pause(clock, millis(0), call.signal);
    }
  } catch (error) {
    // The kernel tells of the interface before it hands over what it had received until then.
    if (!(error instanceof OsError)) throw error;
    lost = error;
    while (!full() && receiver.receive(take) > 0);
  }
  view.end(receiver.dropped());
  if (lost !== undefined) throw lost;
  return count === undefined || full() || call.signal.aborted ? EXIT.ok : EXIT.failed;
}

function criteriaOf(given: Arguments): Criteria {
  const vlan = given.text("vlan") === "none" ? "none" : given.whole("vlan", 0, 4095);
  const text = given.text("dst");
  const mac = text === undefined ? undefined : parseMac(text);
  if (text !== undefined && mac === undefined) {
    given.fail(`--dst must be an address such as 01:0c:cd:01:00:01, not "${text}"`);
  }
  return {
    appId: given.whole("appid", 0, 0xffff),
    gocbRef: given.text("gocbref"),
    destination: mac === undefined ? undefined : formatMac(mac),
    vlan,
  };
}

/** What is shown, and counted. */
class View {
  taken = 0;
  #refused = 0;
  readonly #streams = new Streams();
  readonly #reasons = new Map<string, number>();

  constructor(readonly call: Invocation, readonly wanted: Criteria) {}

  show(octets: Uint8Array, epochMs: number): void {
    const { terminal, options } = this.call;
    const judged = judge(octets, this.wanted);
    if (judged.kind === "refused") return this.#showRefused(judged, epochMs);
    this.taken += 1;
    const step = this.#streams.see(judged);
    if (options.quiet === true) return;
    if (options.json === true) terminal.out(JSON.stringify(takenJson(judged, epochMs, step)));
    else terminal.out(takenLine(judged, epochMs, step));
  }

  #showRefused(refused: Refused, epochMs: number): void {
    const { terminal, options } = this.call;
    this.#refused += 1;
    const reason = `${refused.frame?.source ?? ""} ${refused.why}`;
    const times = (this.#reasons.get(reason) ?? 0) + 1;
    if (times > 1 || this.#reasons.size < REASONS_MAX) this.#reasons.set(reason, times);
    if (options.quiet === true || (times > SAME_MAX && options.all !== true)) return;
    if (options.json === true) terminal.out(JSON.stringify(refusedJson(refused, epochMs)));
    else terminal.out(refusedLine(refused, epochMs));
  }

  /** The counts. */
  end(dropped: number): void {
    const { terminal, options } = this.call;
    const streams = this.#streams.all();
    const { taken } = this;
    const refused = this.#refused;
    if (options.json === true) {
      return terminal.out(JSON.stringify(this.#summary(dropped)));
    }
    const plural = taken === 1 ? "frame" : "frames";
    terminal.out(
      `${taken} ${plural} taken, ${refused} not taken, ${dropped} dropped by the kernel`,
    );
    if (this.#streams.overflow > 0) {
      terminal.out(`${this.#streams.overflow} frames of further streams are not in the table`);
    }
    if (streams.length === 0) return;
    const numbers = ["frames", "changes", "lost", "lost changes", "twice", "reordered", "restarts"];
    const head = [
      { title: "source" },
      { title: "appid" },
      ...numbers.map((title) => ({ title, align: "right" as const })),
      { title: "gocbRef" },
    ];
    const rows = streams.map((stream) => [
      stream.source,
      hex16(stream.appId),
      ...[
        stream.frames,
        stream.changes,
        stream.lost,
        stream.lostChanges,
        stream.duplicates,
        stream.reordered,
        stream.restarts,
      ].map(String),
      shown(stream.gocbRef),
    ]);
    for (const line of table(head, rows)) terminal.out(line);
  }

  #summary(dropped: number): JsonObject {
    return {
      type: "summary",
      taken: this.taken,
      refused: this.#refused,
      dropped_by_kernel: dropped,
      streams_overflow: this.#streams.overflow,
      streams: this.#streams.all().map(({ appId, gocbRef, last, lostChanges, ...rest }) => ({
        appid: appId,
        gocbref: gocbRef,
        ...rest,
        lost_changes: lostChanges,
        stnum: last.stNum,
        sqnum: last.sqNum,
      })),
      reasons: Object.fromEntries(this.#reasons),
    };
  }
}
