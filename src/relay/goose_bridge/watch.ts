/**
 * Supervision of what a path carries: GOOSE streams from the station and from the network, each way
 * apart. What happens is counted, told in the log, and shown stream by stream in /status.
 * @module
 */
import type { Counters } from "../../base/counters.ts";
import type { Log } from "../../base/log.ts";
import type { Instant } from "../../base/time.ts";
import { GooseScan } from "../../protocol/goose/scan.ts";
import {
  KIND,
  type Stream,
  Supervision,
  type SupervisionEvent,
} from "../../protocol/goose/supervision.ts";
import type { Config } from "./config.ts";
import type { StreamPoints, Way } from "./points.ts";

/** Most streams that /status shows; all are watched and counted. */
const SHOWN_MAX = 100;
/** Most lines of the log between two looks: what a network sends must not be what we log. */
const LINES_MAX = 20;

const MESSAGES: Readonly<Record<SupervisionEvent["kind"], string>> = {
  expired: "Stream is silent: nothing came within timeAllowedToLive",
  returned: "Stream is back",
  confRev: "Configuration revision of a stream has changed",
  restart: "Publisher has started anew",
  simulation: "Simulation flag of a stream has changed",
  ndsCom: "needsCommissioning of a stream has changed",
  lost: "Messages of a stream are missing",
};
const CODES: Readonly<Record<SupervisionEvent["kind"], string>> = {
  expired: "goose.stream.expired",
  returned: "goose.stream.returned",
  confRev: "goose.stream.conf_rev",
  restart: "goose.stream.restart",
  simulation: "goose.stream.simulation",
  ndsCom: "goose.stream.nds_com",
  lost: "goose.stream.lost",
};

/** Watches one path. */
export class Watch {
  readonly #scan = new GooseScan();
  readonly #out: Supervision;
  readonly #in: Supervision;
  readonly #discard: boolean;
  #lines = LINES_MAX;
  #skipped = 0;

  /** @param points Undefined when streams are no points. */
  constructor(
    readonly counters: Counters,
    readonly log: Log,
    config: Config,
    readonly points: StreamPoints | undefined,
  ) {
    const { streams, discardDuplicates } = config;
    this.#out = new Supervision(streams, (event) => this.#tell("out", event));
    this.#in = new Supervision(streams, (event) => this.#tell("in", event));
    this.#discard = discardDuplicates;
  }

  /**
   * Takes a frame. Returns true when it is a duplicate that is to be dropped.
   *
   * @param age Microseconds that it was on its way; negative when that is not known.
   */
  see(
    way: Way,
    octets: Uint8Array,
    at: number,
    length: number,
    now: Instant,
    age: number,
  ): boolean {
    if (!this.#scan.scan(octets, at, length)) return false;
    const supervision = way === "out" ? this.#out : this.#in;
    const kind = supervision.see(this.#scan, octets, at, now);
    const stream = supervision.last;
    if (stream && age >= 0) {
      stream.age = age;
      if (age > stream.ageMax) stream.ageMax = age;
    }
    if (kind === KIND.duplicate) this.counters.add("stream_duplicates");
    else if (kind === KIND.reordered) this.counters.add("stream_reordered");
    else if (this.points && kind !== KIND.repeat && kind !== KIND.unwatched) {
      if (kind === KIND.first) this.points.begin(way, supervision.last!);
      this.points.change(way, supervision.last!, octets, at, length);
    }
    return this.#discard && (kind === KIND.duplicate || kind === KIND.reordered);
  }

  /** When a stream may fall silent next. */
  get deadline(): Instant {
    return Math.min(this.#out.deadline, this.#in.deadline) as Instant;
  }

  /** Marks the streams that have fallen silent. */
  expire(now: Instant): void {
    this.#out.expire(now);
    this.#in.expire(now);
  }

  /** Tells what is missing, and takes over what is counted elsewhere. */
  #look(): void {
    const { counters, log } = this;
    this.#out.tellLost();
    this.#in.tellLost();
    this.points?.look();
    if (this.#skipped > 0) {
      const events = this.#skipped;
      log.warn("goose.stream.more", "More happened to streams than the log tells", { events });
    }
    this.#lines = LINES_MAX;
    this.#skipped = 0;
    counters.set("stream_lost", this.#out.lost + this.#in.lost);
    counters.set("streams", this.#out.count + this.#in.count);
    counters.set("streams_unwatched", this.#out.unwatched + this.#in.unwatched);
  }

  /** Every stream, for /status. Asked for once a second; what is lost is told then. */
  facts(now: Instant): Record<string, unknown>[] {
    this.#look();
    const shown: Record<string, unknown>[] = [];
    for (const [way, supervision] of [["out", this.#out], ["in", this.#in]] as const) {
      for (const stream of supervision.streams()) {
        if (shown.length < SHOWN_MAX) shown.push(factsOf(way, stream, now));
      }
    }
    return shown;
  }

  #tell(way: Way, { kind, stream, amount }: SupervisionEvent): void {
    const { counters, log } = this;
    this.points?.tell(way, { kind, stream, amount });
    if (kind === "restart") counters.add("stream_restarts");
    else if (kind === "expired") counters.add("stream_expirations");
    else if (kind === "confRev") counters.add("stream_conf_rev_changes");
    if (this.#lines === 0) {
      this.#skipped += 1;
      return;
    }
    this.#lines -= 1;
    const fields = {
      way,
      source: stream.source,
      appId: stream.appId,
      stream: stream.reference,
      stNum: stream.stNum,
      sqNum: stream.sqNum,
      amount: Math.round(amount),
    };
    if (kind === "returned") log.info(CODES[kind], MESSAGES[kind], fields);
    else log.warn(CODES[kind], MESSAGES[kind], fields);
  }
}

function factsOf(way: Way, stream: Stream, now: Instant): Record<string, unknown> {
  const lived = Math.max(1, stream.lastAt - stream.firstAt);
  return {
    way,
    source: stream.source,
    app_id: stream.appId,
    stream: stream.reference,
    vlan: stream.vlan < 0 ? null : stream.vlan,
    st_num: stream.stNum,
    sq_num: stream.sqNum,
    conf_rev: stream.confRev,
    ttl_ms: stream.timeAllowedToLive,
    age_us: stream.age < 0 ? null : stream.age,
    age_max_us: stream.ageMax < 0 ? null : stream.ageMax,
    silent_ms: Math.round(now - stream.lastAt),
    alive: !stream.expired,
    simulation: stream.simulation,
    nds_com: stream.ndsCom,
    per_second: Math.round(((stream.frames - 1) / lived) * 10_000) / 10,
    frames: stream.frames,
    changes: stream.changes,
    lost: stream.lost,
    lost_changes: stream.lostChanges,
    duplicates: stream.duplicates,
    reordered: stream.reordered,
    restarts: stream.restarts,
    expirations: stream.expirations,
  };
}
