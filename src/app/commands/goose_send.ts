/** `busbar goose send`: a publisher for commissioning. */
import { describe, OsError } from "../../base/errors.ts";
import { after, type Instant, type Millis, millis, parseSpan, since } from "../../base/time.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { PacketSender } from "../../platform/linux/packet.ts";
import {
  type ChangeEvery,
  type Data,
  encodeEthernet,
  ETHER_TYPE,
  type EthernetContents,
  formatMac,
  NOTATION,
  type Pace,
  parseMac,
  parseValues,
  Publisher,
  type PublisherOptions,
  REFERENCE_MAX,
  SEQUENCE_MAX,
} from "../../protocol/goose/mod.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import { DATASET_FORM, parseDataset } from "../goose_dataset.ts";
import { hex16 } from "../goose_frames.ts";

const NAME = "goose send";
const RATE_MAX = 200_000;
/** Frames between two looks at the interrupt. */
const BURST_MAX = 256;
/** A sender that is further behind does not catch up: it says how often that was. */
const BEHIND_MAX = millis(1000);
const PRIORITY_DEFAULT = 4;
const STREAMS_MAX = 256;

const DEFAULTS = {
  appId: 0x1000,
  gocbRef: "BUSBAR/LLN0$GO$gcb1",
  datSet: "BUSBAR/LLN0$ds1",
  destination: "01:0c:cd:01:00:01",
  values: "bool:true",
  curve: "4ms,1s",
} as const;

const OPTIONS: readonly Option[] = [
  {
    name: "interface",
    short: "i",
    value: "NAME",
    complete: "interface",
    summary: "Where to send: a TAP, or any Ethernet interface",
  },
  { name: "appid", value: "ID", summary: `APPID; ${hex16(DEFAULTS.appId)} if absent` },
  { name: "gocbref", value: "REF", summary: `Control block; ${DEFAULTS.gocbRef} if absent` },
  { name: "datset", value: "REF", summary: `Data set; ${DEFAULTS.datSet} if absent` },
  { name: "goid", value: "TEXT", summary: "goID; none if absent" },
  { name: "confrev", value: "N", summary: "Revision of the configuration; 1 if absent" },
  { name: "dst", value: "MAC", summary: `Destination; ${DEFAULTS.destination} if absent` },
  { name: "src", value: "MAC", summary: "Source; the interface's own if absent" },
  { name: "vlan", value: "ID", summary: "Tag the frames with this VLAN; 0 is priority only" },
  {
    name: "priority",
    value: "0-7",
    summary: `Tag the frames with this priority; ${PRIORITY_DEFAULT} if only --vlan is given`,
  },
  { name: "rate", value: "N", summary: "So many frames a second, evenly" },
  {
    name: "curve",
    value: "FIRST,LAST",
    summary: "First interval after a change, doubled up to the last one; " +
      `${DEFAULTS.curve} if absent`,
  },
  { name: "count", short: "n", value: "N", summary: "End after so many frames" },
  { name: "duration", short: "d", value: "SPAN", summary: "End after this time, such as 10s" },
  {
    name: "change_every",
    value: "N|SPAN",
    summary: "Change the values after so many frames, or after this time, again and again",
  },
  {
    name: "ttl",
    value: "SPAN",
    summary: "Time allowed to live; twice the next interval if absent",
  },
  { name: "values", value: "LIST", summary: `The data set; ${DEFAULTS.values} if absent` },
  {
    name: "dataset",
    value: "JSON",
    summary: "The data set as JSON instead, or @FILE with it",
  },
  { name: "stnum", value: "N", summary: "stNum to begin with; 1 if absent" },
  { name: "sqnum", value: "N", summary: "sqNum to begin with; 1 if absent" },
  {
    name: "streams",
    value: "N",
    summary: "So many streams at once: APPID, destination and control block count up",
  },
  { name: "simulation", summary: "Mark the frames as simulated" },
  { name: "nds_com", summary: "Mark the control block as needing commissioning" },
  { name: "fixed", summary: "Write numbers at their full length (8-1 A.3)" },
  { name: "json", summary: "The counts as one JSON object" },
];

/** The command. */
export const gooseSendCommand: Command = {
  name: NAME,
  summary: "Publish GOOSE frames",
  details: `Values are a list of: ${NOTATION}. A change turns booleans and switch positions over ` +
    `and adds 1 to numbers. As JSON: ${DATASET_FORM}.\n\nA subscriber on the same interface of ` +
    "the same host does not see these frames. Needs root, or the capability NET_RAW.",
  options: OPTIONS,
  args: [],
  examples: [
    "busbar goose send --interface goose0",
    "busbar goose send -i goose0 --rate 100 --count 1000 --vlan 5 --priority 4",
    "busbar goose send -i goose0 --curve 4ms,1s --change-every 10s " +
    "--values 'dbpos:on,quality:good,utc_time:now'",
    `busbar goose send -i goose0 --streams 20 --dataset '[true, {"float": 1}]'`,
  ],
  run: (call) => send(call),
};

/** What was asked for. */
interface Order {
  readonly publisher: PublisherOptions;
  readonly streams: number;
  readonly header: Omit<EthernetContents, "source">;
  readonly source: Uint8Array | undefined;
  readonly count: number;
  readonly duration: Millis | undefined;
}

async function send(call: Invocation): Promise<number> {
  const given = new Arguments(NAME, call);
  const name = given.required("interface");
  const clock = new SystemClock();
  const order = orderOf(given, clock.epoch());
  using sender = PacketSender.open(name);
  const source = order.source ?? parseMac(sender.mac)!;
  const start = clock.now();
  const job = new Job(order, sender, { ...order.header, source }, clock);
  const end = order.duration === undefined ? undefined : after(start, order.duration);
  const done = () =>
    call.signal.aborted || job.sent >= order.count || (end !== undefined && clock.now() >= end);
  let lost: OsError | undefined;
  try {
    while (!done()) {
      const due = job.turn(done);
      const wait = Math.min(since(clock.now(), due), since(clock.now(), end ?? due));
      await pause(clock, millis(Math.max(0, wait)), call.signal);
    }
  } catch (error) {
    // What was sent until then is told all the same.
    if (!(error instanceof OsError)) throw error;
    lost = error;
  }
  job.summary(call, formatMac(source), since(start, clock.now()));
  if (lost !== undefined) throw lost;
  return EXIT.ok;
}

/** The sending itself. */
class Job {
  sent = 0;
  #octets = 0;
  #busy = 0;
  #skipped = 0;
  #waiting: Uint8Array<ArrayBuffer> | undefined;
  readonly #streams: readonly Stream[];

  constructor(
    readonly order: Order,
    readonly sender: PacketSender,
    readonly header: EthernetContents,
    readonly clock: SystemClock,
  ) {
    this.#streams = streamsOf(order, header, clock);
  }

  /** Sends what is due. @returns When to call again. */
  turn(done: () => boolean): Instant {
    const { clock } = this;
    for (let burst = 0; burst < BURST_MAX && !done(); burst += 1) {
      const now = clock.now();
      const { publisher, header } = this.#next();
      if (this.#waiting === undefined && publisher.deadline > now) break;
      if (this.#waiting === undefined && since(publisher.deadline, now) > BEHIND_MAX) {
        this.#skipped += 1;
        publisher.skip(now);
      }
      this.#waiting ??= encodeEthernet(header, publisher.next(now, clock.epoch())!);
      if (!this.sender.send(this.#waiting)) {
        this.#busy += 1;
        return after(now, millis(1));
      }
      this.sent += 1;
      this.#octets += this.#waiting.length;
      this.#waiting = undefined;
    }
    return this.#next().publisher.deadline;
  }

  /** The stream whose message is due first. */
  #next(): Stream {
    let first = this.#streams[0]!;
    for (const stream of this.#streams) {
      if (stream.publisher.deadline < first.publisher.deadline) first = stream;
    }
    return first;
  }

  summary({ terminal, options }: Invocation, source: string, took: Millis): void {
    const seconds = took / 1000;
    const rate = seconds > 0 ? this.sent / seconds : 0;
    const { stNum } = this.#streams[0]!.publisher;
    const changes = this.#streams.reduce((sum, { publisher }) => sum + publisher.changes, 0);
    const [busy, skipped] = [this.#busy, this.#skipped];
    if (options.json === true) {
      const round = (value: number) => Math.round(value * 1000) / 1000;
      return terminal.out(JSON.stringify({
        interface: this.sender.name,
        source,
        streams: this.#streams.length,
        sent: this.sent,
        octets: this.#octets,
        changes,
        stnum: stNum,
        seconds: round(seconds),
        frames_per_second: round(rate),
        busy,
        held_up: skipped,
      }));
    }
    const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
    terminal.out(
      `Sent ${plural(this.sent, "frame")} (${this.#octets} octets, ${plural(changes, "change")}) ` +
        `on ${this.sender.name} in ${seconds.toFixed(3)} s: ${rate.toFixed(1)}/s`,
    );
    if (busy > 0) {
      terminal.out(`The interface had no room ${plural(busy, "time")}; nothing is lost`);
    }
    if (skipped > 0) terminal.out(`Held up for more than a second ${plural(skipped, "time")}`);
  }
}

/** One of the streams that are sent. */
interface Stream {
  readonly publisher: Publisher;
  readonly header: EthernetContents;
}

/** The streams of an order; with a rate their messages are spread over its interval. */
function streamsOf(order: Order, header: EthernetContents, clock: SystemClock): Stream[] {
  const { publisher: options, streams: count } = order;
  const now = clock.now();
  const { pace } = options;
  const apart = pace.kind === "rate" ? 1000 / pace.perSecond / count : 0;
  return Array.from({ length: count }, (_, index): Stream => {
    const destination = header.destination.slice();
    // 512 addresses belong to GOOSE; more streams than that share them.
    const low = ((destination[4]! << 8) | destination[5]!) + index;
    destination[4] = (destination[4]! & 0xfe) | ((low >> 8) & 1);
    destination[5] = low & 0xff;
    const gocbRef = numbered(options.pdu.gocbRef, index);
    const pdu = { ...options.pdu, gocbRef };
    const start = after(now, millis(index * apart));
    return {
      publisher: new Publisher(
        { ...options, appId: options.appId + index, pdu },
        start,
        clock.epoch(),
      ),
      header: { ...header, destination },
    };
  });
}

/** A name with its number at the end counted up: `gcb1`, `gcb2`. */
function numbered(name: string, more: number): string {
  if (more === 0) return name;
  const match = /^(.*?)(\d{0,9})$/s.exec(name)!;
  return `${match[1]}${Number(match[2] === "" ? 1 : match[2]) + more}`;
}

function orderOf(given: Arguments, epochMs: number): Order {
  const text = (name: string, fallback: string) => {
    const value = given.text(name) ?? fallback;
    // deno-lint-ignore no-control-regex
    if (value.length <= REFERENCE_MAX && /^[\x00-\xff]*$/.test(value)) return value;
    return given.fail(`--${name} must be at most ${REFERENCE_MAX} characters of Latin-1`);
  };
  const goId = given.text("goid");
  const publisher: PublisherOptions = {
    appId: given.whole("appid", 0, 0xffff) ?? DEFAULTS.appId,
    pdu: {
      gocbRef: text("gocbref", DEFAULTS.gocbRef),
      datSet: text("datset", DEFAULTS.datSet),
      ...(goId === undefined ? {} : { goId: text("goid", goId) }),
      confRev: given.whole("confrev", 0, 0xffff_ffff) ?? 1,
      simulation: given.flag("simulation") ?? false,
      ndsCom: given.flag("nds_com") ?? false,
    },
    values: valuesOf(given, epochMs),
    form: given.flag("fixed") === true ? "fixed" : "minimal",
    pace: paceOf(given),
    changeEvery: changeEveryOf(given),
    timeAllowedToLive: ttlOf(given),
    first: {
      stNum: given.whole("stnum", 0, SEQUENCE_MAX) ?? 1,
      sqNum: given.whole("sqnum", 0, SEQUENCE_MAX) ?? 1,
    },
  };
  const streams = given.whole("streams", 1, STREAMS_MAX) ?? 1;
  if (publisher.appId + streams > 0x10000) {
    given.fail("--streams would count the APPID beyond 0xffff: begin with a lower --appid");
  }
  // The fixed form is the longest that this stream will ever be.
  const longest = new Publisher({ ...publisher, form: "fixed" }, 0 as Instant, 0);
  if (longest.next(0 as Instant, 0) === undefined) {
    given.fail("--values do not fit into one frame of 1500 octets");
  }
  return {
    publisher,
    streams,
    header: {
      destination: macOf(given, "dst") ?? parseMac(DEFAULTS.destination)!,
      tags: tagsOf(given),
      etherType: ETHER_TYPE.goose,
    },
    source: macOf(given, "src"),
    count: given.whole("count", 1, 1e15) ?? Infinity,
    duration: given.span("duration"),
  };
}

function tagsOf(given: Arguments): EthernetContents["tags"] {
  const vlan = given.whole("vlan", 0, 4095);
  const priority = given.whole("priority", 0, 7);
  if (vlan === undefined && priority === undefined) return [];
  const tag = { tpid: ETHER_TYPE.vlan, dropEligible: false };
  return [{ ...tag, priority: priority ?? PRIORITY_DEFAULT, vlan: vlan ?? 0 }];
}

function macOf(given: Arguments, name: string): Uint8Array | undefined {
  const text = given.text(name);
  if (text === undefined) return undefined;
  return parseMac(text) ??
    given.fail(`--${name} must be an address such as 01:0c:cd:01:00:01, not "${text}"`);
}

function valuesOf(given: Arguments, epochMs: number): readonly Data[] {
  const dataset = given.text("dataset");
  if (dataset !== undefined) return datasetOf(given, dataset, epochMs);
  const text = given.text("values") ?? DEFAULTS.values;
  const values = parseValues(text, epochMs);
  if (Array.isArray(values)) return values;
  return given.fail(`--values: ${values.why}, at character ${values.at + 1}`);
}

function datasetOf(given: Arguments, written: string, epochMs: number): readonly Data[] {
  if (given.text("values") !== undefined) given.fail("--values and --dataset exclude each other");
  const values = parseDataset(written.startsWith("@") ? textOf(given, written) : written, epochMs);
  if (!("why" in values)) return values;
  return given.fail(`--dataset${values.path}: ${values.why}`);
}

function textOf(given: Arguments, written: string): string {
  try {
    return Deno.readTextFileSync(written.slice(1));
  } catch (error) {
    return given.fail(`--dataset: cannot read ${written.slice(1)}: ${describe(error)}`);
  }
}

function paceOf(given: Arguments): Pace {
  const perSecond = given.positive("rate", RATE_MAX);
  const written = given.text("curve");
  if (perSecond !== undefined) {
    if (written !== undefined) given.fail("--rate and --curve exclude each other");
    return { kind: "rate", perSecond };
  }
  const text = written ?? DEFAULTS.curve;
  const [first, last, ...more] = text.split(",").map((part) => parseSpan(part.trim()) ?? 0);
  if (!first || !last || more.length > 0 || first > last) {
    return given.fail(
      `--curve must be two times, the shorter first, such as 4ms,1s, not "${text}"`,
    );
  }
  return { kind: "curve", curve: { first: millis(first), last: millis(last) } };
}

function changeEveryOf(given: Arguments): ChangeEvery | undefined {
  const text = given.text("change_every");
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) {
    return { kind: "messages", count: given.whole("change_every", 1, 1e12)! };
  }
  return { kind: "span", span: given.span("change_every")! };
}

function ttlOf(given: Arguments): Millis | undefined {
  const ttl = given.span("ttl");
  if (ttl !== undefined && !(ttl >= 1 && ttl <= 0xffff_ffff)) {
    given.fail("--ttl must be from 1ms to 49 days");
  }
  return ttl === undefined ? undefined : millis(Math.round(ttl));
}
