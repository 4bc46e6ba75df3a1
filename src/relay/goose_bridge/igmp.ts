/**
 * Keeps the membership of a path alive in the network, and watches over it: sends reports of its
 * own, listens for the querier, and checks that the kernel still has the group.
 *
 * The kernel reports a membership when it begins and when it is asked. A router that has lost its
 * table, or a transit gateway that speaks version 2 while the kernel speaks version 3, may never
 * ask: an unsolicited report heals that. The group is never left to be joined again, for that would
 * end the membership at once.
 * @module
 */
import { formatIpv4, parseIpv4 } from "../../base/address.ts";
import type { Counters } from "../../base/counters.ts";
import { describe, OsError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { after, type Instant, seconds } from "../../base/time.ts";
import type { HotPlatform, IgmpPort } from "../../platform/hot.ts";
import {
  decodeIgmp,
  encodeReportV2,
  encodeReportV3,
  REPORT_V3_TARGET,
} from "../../protocol/igmp/mod.ts";
import type { Config } from "./config.ts";

/** The second report after a join, as hosts of version 2 send one. RFC 2236 §3 */
const SECOND_REPORT = seconds(2);
/** After a nudge: one report at once, and one after each of these. */
const NUDGED = [seconds(1), seconds(2), seconds(4)] as const;
const LOOPBACK = "lo";
/** Datagrams that are read in one look. */
const READ_MAX = 64;
/** A querier asks every 125 s, a transit gateway every 120 s. RFC 3376 §8.2 */
const QUERY_INTERVAL = seconds(130);

/** The membership of one path. */
export class IgmpKeeper implements Disposable {
  /** Set when the group has to be joined anew. */
  rejoin = false;
  readonly #group: number;
  #port: IgmpPort | undefined;
  #via = "";
  #why = "";
  #joinedAt = 0 as Instant;
  #reportAt = 0 as Instant;
  #checkAt = 0 as Instant;
  #reportedAt: Instant | undefined;
  #queriedAt: Instant | undefined;
  #querier = 0;
  #queryVersion = 0;
  #silent = false;
  /** Which pause of {@linkcode NUDGED} comes next. */
  #nudged: number = NUDGED.length;
  #misses = 0;
  #version = "";

  constructor(
    readonly platform: HotPlatform,
    readonly counters: Counters,
    readonly log: Log,
    readonly config: Config,
  ) {
    this.#group = parseIpv4(config.group!)!;
  }

  /** The group was joined on an interface. */
  joined(via: { readonly name: string; readonly index: number }, now: Instant): void {
    this.#port?.[Symbol.dispose]();
    this.#port = undefined;
    this.#via = via.name;
    this.rejoin = false;
    this.#misses = 0;
    this.#joinedAt = now;
    this.#reportAt = now;
    this.#checkAt = after(now, this.config.igmpMonitorInterval);
    try {
      this.#port = this.platform.openIgmp(via);
      this.#why = "";
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      // The path works all the same; the kernel's own reports are all there are then.
      this.#why = describe(error);
      this.log.warn("goose.igmp.off", "IGMP reports cannot be sent: CAP_NET_RAW is needed", {
        error,
      });
    }
  }

  /** Somebody found that the network has lost the group: reports at once. */
  nudge(now: Instant): void {
    this.#reportAt = now;
    this.#nudged = 0;
  }

  /** Whether the querier is missing. */
  get silent(): boolean {
    return this.#silent;
  }

  /** Called once a second. */
  look(now: Instant): void {
    this.#hear(now);
    if (this.#port && now >= this.#reportAt) this.#report(now);
    if (now >= this.#checkAt) this.#check(now);
    this.#judgeQuerier(now);
  }

  /** For /status; numbers of seconds are whole tens, so that it changes seldom. */
  facts(now: Instant): Record<string, unknown> {
    const ago = (at: Instant | undefined) =>
      at === undefined ? null : Math.floor((now - at) / 10_000) * 10;
    return {
      reports_version: this.config.igmpVersion,
      kernel_version: this.#version === "" ? null : this.#version,
      last_report_s: ago(this.#reportedAt),
      last_query_s: ago(this.#queriedAt),
      querier: this.#queriedAt === undefined ? null : formatIpv4(this.#querier),
      query_version: this.#queryVersion === 0 ? null : this.#queryVersion,
      querier_missing: this.#silent,
      ...(this.#why === "" ? {} : { why: this.#why }),
    };
  }

  [Symbol.dispose](): void {
    this.#port?.[Symbol.dispose]();
    this.#port = undefined;
  }

  #report(now: Instant): void {
    const { igmpVersion, igmpKeepaliveInterval } = this.config;
    const sent = igmpVersion === 2
      ? this.#port!.send(this.#group, encodeReportV2(this.#group))
      : this.#port!.send(REPORT_V3_TARGET, encodeReportV3(this.#group));
    const second = this.#reportedAt === undefined || this.#reportedAt < this.#joinedAt;
    if (sent < 0) {
      this.log.warn("goose.igmp.report", "IGMP report was not sent", { errno: -sent });
    } else {
      this.counters.add("igmp_reports");
      this.counters.set("igmp_last_report", this.platform.epochMicros() / 1e6);
      this.#reportedAt = now;
    }
    const pause = NUDGED[this.#nudged];
    this.#nudged += 1;
    this.#reportAt = after(now, pause ?? (second ? SECOND_REPORT : igmpKeepaliveInterval));
  }

  #hear(now: Instant): void {
    if (!this.#port) return;
    for (let left = READ_MAX; left > 0; left -= 1) {
      const octets = this.#port.receive();
      if (!octets) return;
      const message = decodeIgmp(octets);
      if (message.kind === "malformed") {
        this.counters.add("igmp_malformed");
      } else if (message.kind === "query") {
        this.counters.add("igmp_queries");
        this.#queriedAt = now;
        this.#querier = message.source;
        this.#queryVersion = message.version;
        if (!this.#silent) continue;
        this.#silent = false;
        this.log.info("goose.igmp.querier", "IGMP querier is heard again", {
          querier: formatIpv4(message.source),
        });
      }
    }
  }

  /** Whether the kernel still has the group; when it has not several times, it is joined anew. */
  #check(now: Instant): void {
    const { igmpMonitorInterval, igmpReregisterThreshold, group } = this.config;
    this.#checkAt = after(now, igmpMonitorInterval);
    const membership = this.platform.membership(this.#via, group!);
    this.counters.add("igmp_checks");
    this.counters.set("igmp_last_check", this.platform.epochMicros() / 1e6);
    if (membership) this.#version = membership.version;
    // A kernel that does not tell is no reason to doubt the socket.
    if (membership?.member !== false) {
      this.#misses = 0;
      return;
    }
    this.#misses += 1;
    this.counters.add("igmp_missing");
    if (this.#misses < igmpReregisterThreshold) return;
    this.counters.add("igmp_reregistered");
    this.log.warn("goose.igmp.lost", "Kernel has lost the group; it is joined anew", { group });
    this.rejoin = true;
  }

  #judgeQuerier(now: Instant): void {
    const { igmpQuerierIntervals } = this.config;
    if (igmpQuerierIntervals === 0 || this.#silent || !this.#port) return;
    // Nobody asks on loopback.
    if (this.#via === LOOPBACK) return;
    const heard = Math.max(this.#joinedAt, this.#queriedAt ?? 0);
    if (now - heard < QUERY_INTERVAL * igmpQuerierIntervals) return;
    this.#silent = true;
    this.counters.add("igmp_querier_missing");
    this.log.warn(
      "goose.igmp.no_querier",
      "No IGMP querier was heard: switches that snoop may " +
        "stop forwarding the group",
      { intervals: igmpQuerierIntervals },
    );
  }
}
