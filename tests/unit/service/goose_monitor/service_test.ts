import { Counters } from "../../../../src/base/counters.ts";
import { OsError } from "../../../../src/base/errors.ts";
import { millis, seconds } from "../../../../src/base/time.ts";
import type { Context, Neighbor } from "../../../../src/kernel/module.ts";
import type { JsonObject } from "../../../../src/kernel/registry.ts";
import type { ProgramResult } from "../../../../src/platform/ports.ts";
import { CONFIG, type Config } from "../../../../src/service/goose_monitor/config.ts";
import monitor from "../../../../src/service/goose_monitor/mod.ts";
import { run } from "../../../../src/service/goose_monitor/service.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { SimClock } from "../../../sim/clock.ts";

type Answer = (signal: AbortSignal) => Promise<ProgramResult>;

function answer(members: unknown, code = 0, stderr = ""): Answer {
  const stdout = typeof members === "string"
    ? members
    : JSON.stringify({ MulticastGroups: members });
  return () => Promise.resolve({ code, stdout, stderr });
}

const MEMBER = { GroupIpAddress: "224.0.1.100", GroupMember: true, NetworkInterfaceId: "eni-1" };
const PRESENT = answer([MEMBER]);
const MISSING = answer([]);
/** A program that never ends by itself. */
const HANGING: Answer = (signal) =>
  new Promise((_, reject) =>
    signal.addEventListener(
      "abort",
      () => reject(new OsError("os.program", "aws was given up", { errno: "ETIMEDOUT" })),
    )
  );

/** A monitor under a clock that the test turns. */
function begin(config: Record<string, unknown>, reply: Answer = PRESENT) {
  const clock = new SimClock();
  const stop = new AbortController();
  const counters = new Counters(monitor.counters ?? []);
  const files = new Map<string, string>();
  const calls: (readonly string[])[] = [];
  const reports: string[] = [];
  const codes: string[] = [];
  const nudged: string[] = [];
  const state = { reply, full: false };
  let status: () => JsonObject = () => ({});
  const log = (code: string) => void codes.push(code);
  const neighbor: Neighbor = {
    state: "up",
    counters: { frames_out: 3 },
    detail: {},
    config: { tap: "goose0", group: "224.0.1.100", port: 61850 },
  };
  const context = {
    id: "goose_monitor",
    clock,
    signal: stop.signal,
    counters,
    log: { trace: log, debug: log, info: log, warn: log, error: log },
    report: (health: string, why?: string) =>
      void reports.push(why === undefined ? health : `${health}: ${why}`),
    neighbors: {
      look: (id: string) => id === "goose_bridge.path0" ? neighbor : undefined,
      nudge: (id: string) => nudged.push(id) > 0,
    },
    files: {
      replace(path: string, text: string) {
        if (state.full) {
          return Promise.reject(new OsError("os.file", "Cannot write", { errno: "ENOSPC" }));
        }
        files.set(path, text);
        return Promise.resolve();
      },
    },
    programs: {
      run(program: string, args: readonly string[], signal: AbortSignal) {
        calls.push([program, ...args]);
        return state.reply(signal);
      },
    },
    control: {
      status(fields: () => JsonObject) {
        status = fields;
        return { [Symbol.dispose]() {} };
      },
    },
  } as unknown as Context;
  const ended = run(context, CONFIG.parse(config) as Config);
  const file = () => JSON.parse(files.get("/x/stats.json")!) as JsonObject;
  const count = (name: string) => counters.get(name);
  const tell = () => status();
  return { clock, stop, ended, state, files, file, calls, reports, codes, nudged, count, tell };
}

const FILE = { "stats_file": "/x/stats.json", "stats_interval": "60s" };
const GATEWAY = {
  "primary_domain": "tgw-mcast-domain-0a",
  "check_interval": "2m",
  "check_timeout": "30s",
};

Deno.test("The file is written at every interval and at the end, as /status shows it", async () => {
  const { clock, stop, ended, files, file, count, tell } = begin(FILE);
  await clock.advance(seconds(59));
  assertEquals(files.size, 0);
  await clock.advance(seconds(1));
  assertEquals(file(), tell().goose);
  await clock.advance(seconds(120));
  assertEquals(count("stats_written"), 3);
  stop.abort();
  await ended;
  assertEquals([count("stats_written"), (file().health as JsonObject).running], [4, false]);
});

Deno.test("A full disk is told once, leaves the last file, and is got over", async () => {
  const { clock, stop, ended, state, files, reports, codes, count } = begin(FILE);
  await clock.advance(seconds(60));
  const before = files.get("/x/stats.json");
  state.full = true;
  await clock.advance(seconds(180));
  assertEquals([count("stats_failures"), files.get("/x/stats.json")], [3, before]);
  assert(reports.at(-1)!.startsWith("degraded: Cannot write"), reports.at(-1));
  state.full = false;
  await clock.advance(seconds(60));
  assertEquals(reports.at(-1), "up");
  assertEquals(codes, ["goose.stats.file", "goose.stats.file"]);
  stop.abort();
  await ended;
});

Deno.test("The gateway is asked as its CLI wants it, at every interval", async () => {
  const { clock, stop, ended, calls, tell, count } = begin(GATEWAY);
  await clock.advance(seconds(250));
  assertEquals(calls.length, 3);
  const text = calls[0]!.join(" ");
  assertEquals(
    text,
    "aws ec2 search-transit-gateway-multicast-groups --transit-gateway-multicast-domain-id " +
      "tgw-mcast-domain-0a --filters Name=group-ip-address,Values=224.0.1.100 --output json",
  );
  const { statistics } = tell().goose as { statistics: { igmp_stats: { primary: JsonObject } } };
  const { tgw_present: present, tgw_missing_count: missing } = statistics.igmp_stats.primary;
  assertEquals([present, missing, count("tgw_checks")], [true, 0, 3]);
  stop.abort();
  await ended;
});

Deno.test("A group that is missing is counted, told, and the path is nudged", async () => {
  const { clock, stop, ended, state, reports, codes, nudged, count } = begin(GATEWAY, MISSING);
  await clock.advance(seconds(1));
  assertEquals([nudged, count("tgw_missing"), codes], [
    ["goose_bridge.path0"],
    1,
    ["goose.tgw.missing"],
  ]);
  assertEquals(
    reports.at(-1),
    "degraded: Transit gateway does not have 224.0.1.100 in tgw-mcast-domain-0a",
  );
  state.reply = PRESENT;
  await clock.advance(seconds(120));
  assertEquals(reports.at(-1), "up");
  stop.abort();
  await ended;
});

Deno.test("Only a member counts, and only the interface that is named", async () => {
  const source = answer([{ ...MEMBER, GroupMember: false, GroupSource: true }, null]);
  const other = answer([{ ...MEMBER, NetworkInterfaceId: "eni-2" }]);
  for (const [reply, config] of [[source, {}], [other, { network_interface: "eni-1" }]] as const) {
    const { clock, stop, ended, count } = begin({ ...GATEWAY, ...config }, reply);
    await clock.advance(seconds(1));
    assertEquals(count("tgw_missing"), 1);
    stop.abort();
    await ended;
  }
});

Deno.test("A gateway that does not answer in time leaves the last answer standing", async () => {
  const { clock, stop, ended, state, reports, nudged, tell, count } = begin(GATEWAY);
  await clock.advance(seconds(1));
  state.reply = HANGING;
  await clock.advance(millis(119_000 + 29_999));
  assertEquals(count("tgw_failures"), 0);
  await clock.advance(millis(1));
  assertEquals([count("tgw_failures"), nudged.length], [1, 0]);
  assert(reports.at(-1)!.includes("no answer for 224.0.1.100: no answer within 30 s"));
  const { statistics } = tell().goose as { statistics: { igmp_stats: { primary: JsonObject } } };
  assertEquals(statistics.igmp_stats.primary.tgw_present, true);
  stop.abort();
  await ended;
});

const UNREADABLE: readonly [string, Answer, string][] = [
  ["no JSON", answer("<html>"), "the answer is no JSON"],
  ["null", answer("null"), "the answer has no MulticastGroups"],
  ["an error", answer("", 254, "\nAccessDenied: no\n"), "aws ended with 254: AccessDenied: no"],
  [
    "no program",
    () => Promise.reject(new OsError("os.program", "Cannot run aws", { errno: "ENOENT" })),
    "Cannot run aws",
  ],
];
for (const [what, reply, why] of UNREADABLE) {
  Deno.test(`An answer that is ${what} is not known, and tells why`, async () => {
    const { clock, stop, ended, reports, count } = begin(GATEWAY, reply);
    await clock.advance(seconds(1));
    assertEquals([count("tgw_failures"), count("tgw_missing")], [1, 0]);
    assert(reports.at(-1)!.includes(why), reports.at(-1));
    stop.abort();
    await ended;
  });
}

Deno.test("A stop while the gateway is asked ends at once", async () => {
  const { clock, stop, ended } = begin(GATEWAY, HANGING);
  await clock.advance(seconds(1));
  stop.abort();
  await ended;
});

Deno.test("A path that is not there is told, not asked for", async () => {
  const config = { "backup_domain": "tgw-mcast-domain-0b" };
  const { clock, stop, ended, calls, reports } = begin(config);
  await clock.advance(seconds(1));
  assertEquals([calls, reports.at(-1)], [
    [],
    "degraded: goose_bridge.path1 has no group to ask for",
  ]);
  stop.abort();
  await ended;
});
