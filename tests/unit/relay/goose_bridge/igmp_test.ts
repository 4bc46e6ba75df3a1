import { Counters } from "../../../../src/base/counters.ts";
import { OsError } from "../../../../src/base/errors.ts";
import type { Instant } from "../../../../src/base/time.ts";
import { checksum, encodeReportV2 } from "../../../../src/protocol/igmp/mod.ts";
import { CONFIG, type Config } from "../../../../src/relay/goose_bridge/config.ts";
import { COUNTERS } from "../../../../src/relay/goose_bridge/counters.ts";
import { IgmpKeeper } from "../../../../src/relay/goose_bridge/igmp.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex, toHex } from "../../../hex.ts";
import { SimHot } from "../../../sim/hot.ts";

/** A general query of version 2 as a raw socket gives it. */
function query(source: readonly number[]): Uint8Array {
  const octets = fromHex(
    "46 c0 00 20 00 00 00 00 01 02 00 00 00 00 00 00 e0 00 00 01 94 04 00 00 " +
      "11 64 00 00 00 00 00 00",
  );
  octets.set(source, 12);
  const sum = checksum(octets, 24, 32);
  octets.set([sum >> 8, sum & 0xff], 26);
  return octets;
}

/** A keeper that is looked at once a second. */
function keep(more: Record<string, unknown> = {}) {
  const host = new SimHot();
  const counters = new Counters(COUNTERS);
  const codes: string[] = [];
  const log = (code: string) => void codes.push(code);
  const parsed = CONFIG.parse({ tap: "goose0", group: "224.0.1.100", ...more }) as Config;
  const lines = { trace: log, debug: log, info: log, warn: log, error: log };
  const keeper = new IgmpKeeper(host, counters, lines, parsed);
  const join = () => keeper.joined({ name: "eth0", index: 7 }, host.time as Instant);
  const pass = (seconds: number, each: (second: number) => void = () => {}) => {
    for (let second = 0; second < seconds; second += 1) {
      each(second);
      keeper.look(host.time as Instant);
      host.time += 1000;
    }
  };
  join();
  const facts = () => keeper.facts(host.time as Instant);
  return { host, keeper, codes, pass, join, facts, count: (name: string) => counters.get(name) };
}

Deno.test("Reports of version 2 go to the group at the join, 2 s later, and every interval", () => {
  const { host, pass, count } = keep();
  pass(200);
  assertEquals(host.reports.map(({ at }) => at / 1000), [0, 2, 92, 182]);
  assertEquals(host.reports[0]!.to, 0xe0000164);
  assertEquals(toHex(host.reports[0]!.octets), toHex(encodeReportV2(0xe0000164)));
  assertEquals(count("igmp_reports"), 4);
});

Deno.test("Reports of version 3 go to 224.0.0.22, at the interval that is configured", () => {
  const { host, pass } = keep({ "igmp_version": 3, "igmp_keepalive_interval": "10s" });
  pass(25);
  assertEquals(host.reports.map(({ at }) => at / 1000), [0, 2, 12, 22]);
  assertEquals([host.reports[0]!.to, host.reports[0]!.octets[0]], [0xe0000016, 0x22]);
});

Deno.test("The querier is shown; one that was never heard, or falls silent, is told once", () => {
  const { host, pass, codes, facts, count } = keep();
  pass(3 * 130 + 5);
  assertEquals(codes, ["goose.igmp.no_querier"]);
  assertEquals([facts().querier, facts().querier_missing], [null, true]);
  host.igmpInput.push(query([10, 0, 0, 1]));
  pass(2);
  assertEquals(codes, ["goose.igmp.no_querier", "goose.igmp.querier"]);
  assertEquals([facts().querier, facts().query_version, facts().querier_missing], [
    "10.0.0.1",
    2,
    false,
  ]);
  pass(1000, (second) => {
    if (second % 125 === 0) host.igmpInput.push(query([10, 0, 0, 1]));
  });
  assertEquals([codes.length, count("igmp_queries"), count("igmp_querier_missing")], [2, 9, 1]);
});

Deno.test("With 0 intervals a missing querier is nobody's concern", () => {
  const { pass, codes } = keep({ "igmp_querier_intervals": 0 });
  pass(5000);
  assertEquals(codes, []);
});

Deno.test("A group that the kernel has lost is joined anew after the threshold, not before", () => {
  const { host, keeper, pass, join, count } = keep({ "igmp_monitor_interval": "10s" });
  pass(15);
  host.member = false;
  pass(10);
  assertEquals([count("igmp_missing"), keeper.rejoin], [1, false]);
  pass(10);
  assertEquals([count("igmp_missing"), keeper.rejoin, count("igmp_reregistered")], [2, true, 1]);
  host.member = true;
  join();
  pass(40);
  assertEquals([keeper.rejoin, count("igmp_missing")], [false, 2]);
});

Deno.test("Without CAP_NET_RAW it says so once, and still checks the membership", () => {
  const host = keep();
  host.host.igmpError = new OsError("os.socket", "Cannot open", { errno: "EPERM" });
  host.join();
  host.pass(300);
  assertEquals(host.codes, ["goose.igmp.off"]);
  assert(String(host.facts().why).includes("Cannot open"));
  assertEquals([host.count("igmp_reports"), host.count("igmp_checks")], [0, 2]);
});

Deno.test("Datagrams that are no IGMP are counted, however many come", () => {
  const { host, pass, count } = keep();
  for (let index = 0; index < 500; index += 1) host.igmpInput.push(new Uint8Array(index % 40));
  pass(10);
  assertEquals(count("igmp_malformed"), 500);
});

Deno.test("A nudge is followed by a report at once, and after 1, 2 and 4 s", () => {
  const { host, keeper, pass } = keep();
  pass(200, (second) => second === 50 && keeper.nudge(host.time as Instant));
  assertEquals(host.reports.map(({ at }) => at / 1000), [0, 2, 50, 51, 53, 57, 147]);
});
