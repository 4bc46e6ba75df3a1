/**
 * Streams as points: what supervision finds as alarms, and by choice the values of the data sets.
 * Points are named `<way>.<source>_<APPID>_<gocbRef>.<what>`; signs that a point cannot have in its
 * name are underscores.
 * @module
 */
import type { Counters } from "../../base/counters.ts";
import type { HotSample } from "../../kernel/module.ts";
import { decodeGoose } from "../../protocol/goose/codec.ts";
import { type Data, epochMsOf, latin1 } from "../../protocol/goose/data.ts";
import { decodeEthernet } from "../../protocol/goose/ethernet.ts";
import type { Stream, SupervisionEvent } from "../../protocol/goose/supervision.ts";

/** Most values between two looks; what comes beyond waits for the next, the latest of each. */
export const VALUES_MAX = 2000;
/** `QUALITY.stale` of a point. */
const STALE = 1;
const GOOD = 0;

/** Which way a frame goes: `out` to the network, `in` from it. */
export type Way = "out" | "in";
type Value = HotSample["value"];

/** Makes points of the streams of one path. */
export class StreamPoints {
  readonly #names = new WeakMap<Stream, string>();
  /** Alarms that wait, by name: the latest of each. */
  readonly #alarms = new Map<string, HotSample>();
  /** Frames whose values wait. */
  readonly #frames = new Map<Stream, { readonly way: Way; readonly octets: Uint8Array }>();
  /** Streams whose last values stand. */
  readonly #shown = new WeakMap<Stream, HotSample[]>();
  #left = VALUES_MAX;

  /**
   * @param publish Gets what is to be published.
   * @param epochMs The time by the wall.
   * @param values Whether values of data sets are published too.
   */
  constructor(
    readonly publish: (samples: readonly HotSample[]) => void,
    readonly epochMs: () => number,
    readonly values: boolean,
    readonly counters: Counters,
  ) {}

  /** A stream was heard for the first time. */
  begin(way: Way, stream: Stream): void {
    this.#alarm(way, stream, "silent", false);
    this.#alarm(way, stream, "simulation", stream.simulation);
    this.#alarm(way, stream, "nds_com", stream.ndsCom);
    this.#alarm(way, stream, "conf_rev", stream.confRev);
  }

  /** Something happened to a stream. */
  tell(way: Way, { kind, stream }: SupervisionEvent): void {
    if (kind === "expired") this.#silent(way, stream);
    else if (kind === "returned") this.#alarm(way, stream, "silent", false);
    else if (kind === "simulation") this.#alarm(way, stream, "simulation", stream.simulation);
    else if (kind === "ndsCom") this.#alarm(way, stream, "nds_com", stream.ndsCom);
    else if (kind === "confRev") this.#alarm(way, stream, "conf_rev", stream.confRev);
    else if (kind === "restart") this.#alarm(way, stream, "restarts", stream.restarts);
    else this.#alarm(way, stream, "lost", stream.lost + stream.lostChanges);
  }

  /** A frame with a new state came. */
  change(way: Way, stream: Stream, octets: Uint8Array, at: number, length: number): void {
    if (!this.values) return;
    const frame = octets.subarray(at, at + length);
    if (this.#left > 0) {
      this.#publishFrame(way, stream, frame);
      return;
    }
    this.counters.add("points_delayed");
    this.#frames.set(stream, { way, octets: frame.slice() });
  }

  /** Once a second: publishes what had to wait. */
  look(): void {
    this.#left = VALUES_MAX;
    const alarms = [...this.#alarms.values()];
    this.#alarms.clear();
    if (alarms.length > 0) this.#send(alarms);
    for (const [stream, { way, octets }] of this.#frames) {
      if (this.#left <= 0) return;
      this.#frames.delete(stream);
      this.#publishFrame(way, stream, octets);
    }
  }

  #silent(way: Way, stream: Stream): void {
    this.#alarm(way, stream, "silent", true);
    const last = this.#shown.get(stream);
    const at = this.epochMs();
    if (last) this.#send(last.map((sample) => ({ ...sample, quality: STALE, at })));
  }

  #alarm(way: Way, stream: Stream, what: string, value: Value): void {
    const name = `${this.#nameOf(way, stream)}.${what}`;
    const sample: HotSample = { name, value, quality: GOOD, at: this.epochMs() };
    if (this.#left > 0) {
      this.#send([sample]);
      return;
    }
    this.counters.add("points_delayed");
    this.#alarms.set(name, sample);
  }

  #publishFrame(way: Way, stream: Stream, octets: Uint8Array): void {
    const frame = decodeEthernet(octets);
    const message = frame.kind === "malformed" ? frame : decodeGoose(frame.payload);
    // The frame goes its way all the same: whoever subscribed may read what we cannot.
    if (message.kind === "malformed") {
      this.counters.add("stream_undecodable");
      return;
    }
    const { pdu } = message;
    const at = Math.floor(epochMsOf(pdu.t));
    const prefix = `${this.#nameOf(way, stream)}.value`;
    const samples: HotSample[] = [];
    collect(pdu.allData, prefix, (name, value) => {
      samples.push({ name, value, quality: GOOD, at });
    });
    this.#shown.set(stream, samples);
    this.#send(samples);
  }

  #send(samples: readonly HotSample[]): void {
    this.#left -= samples.length;
    this.counters.add("points_published", samples.length);
    this.publish(samples);
  }

  #nameOf(way: Way, stream: Stream): string {
    let name = this.#names.get(stream);
    if (name === undefined) {
      const appId = stream.appId.toString(16).padStart(4, "0");
      const reference = stream.reference.replace(/[^A-Za-z0-9_-]/g, "_");
      name = `${way}.${stream.source.replaceAll(":", "")}_${appId}_${reference}`;
      this.#names.set(stream, name);
    }
    return name;
  }
}

/** Each value with its name: `value.0`, and `value.2.1` inside of a structure. */
function collect(
  items: readonly Data[],
  prefix: string,
  take: (name: string, value: Value) => void,
): void {
  for (const [index, data] of items.entries()) {
    const name = `${prefix}.${index}`;
    if ("items" in data) collect(data.items, name, take);
    else take(name, valueOf(data));
  }
}

/** Bit strings are numbers, first bit highest: a double point position is 0 to 3. */
function valueOf(data: Exclude<Data, { readonly items: readonly Data[] }>): Value {
  switch (data.kind) {
    case "bool":
    case "int":
    case "uint":
    case "float":
    case "double":
      return data.value;
    case "bits":
    case "boolean_array":
      return data.bits.length > 0 && data.bits.length <= 32 ? parseInt(data.bits, 2) : data.bits;
    case "string":
    case "generalized_time":
    case "utf8":
      return data.text;
    case "utc_time":
      return Math.floor(epochMsOf(data.time));
    case "binary_time":
      return data.days === undefined ? data.ms : `${data.days}/${data.ms}`;
    default:
      return latin1(data.octets, 0, data.octets.length);
  }
}
