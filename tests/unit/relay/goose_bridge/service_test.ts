import { Counters } from "../../../../src/base/counters.ts";
import { BugError, OsError } from "../../../../src/base/errors.ts";
import type { HotContext, HotSample } from "../../../../src/kernel/module.ts";
import { FAULT } from "../../../../src/platform/hot.ts";
import { CONFIG, type Config } from "../../../../src/relay/goose_bridge/config.ts";
import { COUNTERS } from "../../../../src/relay/goose_bridge/counters.ts";
import { run } from "../../../../src/relay/goose_bridge/service.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { interfaceState, SimHot } from "../../../sim/hot.ts";

const FRAME = frame("010ccd010001", "88b8");
const OTHER_HOST = 0x0a00_0002;

function frame(to: string, etherType: string, payload = "0102030405060708"): Uint8Array {
  const hex = `${to}001122334455${etherType}${payload}`;
  return Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
}

function datagram(more: { from?: number; length?: number } = {}) {
  const octets = new Uint8Array(more.length ?? 30);
  return { octets, from: more.from ?? OTHER_HOST };
}

/** Runs a path for some simulated seconds on a host that `change` prepares and changes. */
function play(
  seconds: number,
  change: (host: SimHot, time: number) => void = () => {},
  config: Record<string, unknown> = {},
  trace = 0,
  prepare: (host: SimHot) => void = () => {},
) {
  const host = new SimHot();
  prepare(host);
  host.interfaces.set("eth0", interfaceState(7));
  const counters = new Counters(COUNTERS);
  const reports: string[] = [];
  const facts: Record<string, unknown>[] = [];
  const lines: string[] = [];
  const published: HotSample[] = [];
  const traced: { at: number; fields: Record<string, unknown> }[] = [];
  const log = (code: string) => void lines.push(code);
  const logTrace = (code: string, _: string, fields: Record<string, unknown> = {}) => {
    lines.push(code);
    traced.push({ at: host.time, fields });
  };
  const context: HotContext = {
    id: "test",
    counters,
    log: { trace: logTrace, debug: log, info: log, warn: log, error: log },
    report: (health, why) => void reports.push(why === undefined ? health : `${health}: ${why}`),
    detail: (detail) => void facts.push(structuredClone(detail)),
    trace: () => trace as 0,
    nudges: () => host.nudges,
    publish: (samples) => void published.push(...samples),
    bell: { fd: -1 },
    receive: () => undefined,
    tell: () => {},
    stopped: () => host.time >= seconds * 1000,
    platform: host,
  };
  host.onWait = (time) => change(host, time);
  const parsed = CONFIG.parse({ tap: "goose0", group: "224.0.1.100", via: "eth0", ...config });
  run(context, parsed as Config);
  const counted = (...names: string[]) => names.map((name) => counters.get(name));
  return { host, reports, facts, lines, traced, published, counted };
}

/** Calls once, at the first wait at or after `at` milliseconds. */
function once(at: number, act: (host: SimHot) => void): (host: SimHot, time: number) => void {
  let done = false;
  return (host, time) => {
    if (done || time < at) return;
    done = true;
    act(host);
  };
}

Deno.test("A path opens both sides, is up, tells its facts once, and closes both at the end", () => {
  const { host, reports, facts, counted } = play(5);
  assertEquals(host.opened, ["tap", "group 7"]);
  assertEquals([reports, facts.length], [["up"], 1]);
  assertEquals([host.tap!.closed, host.group!.closed], [true, true]);
  assertEquals(counted("peers", "reconnects", "dropped"), [1, 0, 0]);
  const { tap, group } = facts[0] as Record<string, Record<string, unknown>>;
  assertEquals([tap!.open, group!.joined, group!.via, group!.index], [true, true, "eth0", 7]);
  const { name, adopted, index, mac, mtu, up, carrier } = tap!;
  assertEquals([name, adopted, index, mac], ["goose0", false, 1, "02:00:00:00:00:01"]);
  assertEquals([mtu, up, carrier], [1500, true, true]);
  assertEquals([group!.address, group!.port], ["224.0.1.100", 61850]);
  assertEquals(group!.receive_buffer, 1000);
});

Deno.test("A path carries both ways and counts frames and octets", () => {
  const { host, counted } = play(
    1,
    once(500, (host) => {
      host.tap!.input.push(FRAME, FRAME, FRAME);
      host.group!.input.push(datagram(), datagram());
    }),
  );
  assertEquals([host.group!.sent.length, host.tap!.written.length], [3, 2]);
  assertEquals(counted("frames_out", "frames_in", "dropped"), [3, 2, 0]);
  assertEquals(counted("octets_out", "octets_in"), [3 * 26, 2 * 26]);
});

Deno.test("Every frame of the TAP that is not carried is counted by its reason", () => {
  const { host, counted } = play(
    1,
    once(500, (host) => {
      host.tap!.input.push(
        new Uint8Array(5),
        frame("010ccd010001", "0806"),
        frame("010ccd010001", "88b9"),
        frame("010ccd010001", "88ba"),
        frame("010ccd010001", "81000005810000068808"),
        frame("010ccd040001", "88b8"),
        FRAME,
      );
    }),
  );
  const reasons = ["runt", "ethertype", "gse_management", "sampled_values", "double_tag"];
  assertEquals(counted(...reasons.map((reason) => `drop_${reason}`)), [1, 1, 1, 1, 1]);
  assertEquals(counted("drop_destination", "dropped", "tap_received"), [1, 6, 7]);
  assertEquals(host.group!.sent.length, 1);
});

Deno.test("A datagram that is too big is left out, and the rest of the batch still goes", () => {
  const { host, counted } = play(
    1,
    once(500, (host) => {
      host.tap!.input.push(FRAME, FRAME, FRAME);
      host.group!.sendResults.push(1, -FAULT.tooBig);
    }),
  );
  assertEquals(counted("drop_too_big", "frames_out", "dropped"), [1, 2, 1]);
  assertEquals(host.group!.sent.length, 2);
});

Deno.test("A network that is busy costs the batch, one that is interrupted nothing", () => {
  for (const [fault, name] of [[FAULT.again, "busy"], [FAULT.noBuffers, "busy"]] as const) {
    const { counted } = play(
      1,
      once(500, (host) => {
        host.tap!.input.push(FRAME, FRAME);
        host.group!.sendResults.push(-fault);
      }),
    );
    assertEquals(counted(`drop_network_${name}`, "frames_out"), [2, 0]);
  }
  const { counted } = play(
    1,
    once(500, (host) => {
      host.tap!.input.push(FRAME);
      host.group!.sendResults.push(-FAULT.interrupted);
    }),
  );
  assertEquals(counted("dropped", "frames_out"), [0, 1]);
});

Deno.test("Datagrams of this host are dropped, unless loop is on", () => {
  const send = once(500, (host) => host.group!.input.push(datagram({ from: 0x0a00_0001 })));
  assertEquals(play(1, send).counted("drop_own", "frames_in"), [1, 0]);
  const again = once(500, (host) => host.group!.input.push(datagram({ from: 0x0a00_0001 })));
  assertEquals(play(1, again, { loop: true }).counted("drop_own", "frames_in"), [0, 1]);
});

Deno.test("Datagrams that are short, cut, or refused by the TAP are counted apart", () => {
  const { counted } = play(
    1,
    once(500, (host) => {
      host.group!.input.push(datagram({ length: 17 }), datagram({ length: 9000 }));
      host.group!.input.push(datagram(), datagram());
      host.tap!.writeFaults.push(-FAULT.invalid, -FAULT.again);
    }),
  );
  assertEquals(counted("drop_short_datagram", "malformed", "drop_truncated"), [1, 1, 1]);
  assertEquals(counted("drop_runt", "drop_no_tap", "frames_in", "dropped"), [1, 1, 0, 4]);
});

Deno.test("What the kernel drops in front of us is counted once", () => {
  const { counted } = play(
    4,
    once(1500, (host) => {
      host.tap!.drops = 5;
      host.group!.drops = 3;
    }),
  );
  assertEquals(counted("drop_tap_queue", "drop_socket_queue", "dropped"), [5, 3, 8]);
});

const OPEN_ERRORS: readonly (readonly [string, string])[] = [
  ["EPERM", "NET_ADMIN"],
  ["EACCES", "chmod 666 /dev/net/tun"],
  ["ENOENT", "modprobe tun"],
  ["EBUSY", "another TAP"],
];
for (const [errno, remedy] of OPEN_ERRORS) {
  Deno.test(`A TAP that cannot be opened (${errno}) is degraded with its remedy, and tried again`, () => {
    const { host, reports, counted } = play(20, (host, time) => {
      host.tapError = time < 10_000 ? new OsError("os.open", "Cannot open", { errno }) : undefined;
      if (host.group && time === 5000) host.group.input.push(datagram());
    });
    assert(reports[0]!.startsWith("degraded") && reports[0]!.includes(remedy), reports[0]);
    assertEquals(reports.at(-1), "up");
    // 250 ms, 500 ms … 5 s: some tries in ten seconds, not thousands.
    const tries = host.opened.filter((what) => what === "tap").length;
    assert(tries >= 5 && tries <= 9, String(tries));
    assertEquals(counted("frames_in"), [0]);
  });
}

for (const side of ["tap", "group 7"]) {
  Deno.test(`Pauses between tries of the ${side} grow from 250 ms to 5 s, and begin anew`, () => {
    const tries: number[] = [];
    let seen = 0;
    play(45, (host, time) => {
      const error = new OsError("os.open", "Cannot open", { errno: "EIO" });
      const refused = time < 20_000 || time >= 30_000 ? error : undefined;
      if (side === "tap") host.tapError = refused;
      else host.groupError = refused;
      const count = host.opened.filter((what) => what === side).length;
      if (count > seen) tries.push(time);
      seen = count;
      if (time < 30_000 || tries.at(-1)! >= 30_000) return;
      if (side === "tap") host.interfaces.delete("goose0");
      else host.interfaces.set("eth0", interfaceState(7, { address: 9 }));
    });
    // A path looks after itself four times a second while a side is away, in steps of 100 ms.
    const within = (from: number, to: number, pauses: readonly number[]) => {
      const at = tries.filter((time) => time >= from && time < to);
      const gaps = at.slice(1).map((time, index) => time - at[index]!);
      for (const [index, pause] of pauses.entries()) {
        const gap = gaps[index]!;
        assert(gap >= pause && gap < pause + 301, `${gaps} instead of ${pauses}`);
      }
    };
    within(0, 20_000, [250, 500, 1000, 2000, 4000, 5000]);
    within(30_000, 45_000, [250, 500, 1000, 2000, 4000, 5000]);
  });
}

Deno.test("Without via the path follows the default route, and says so when there is none", () => {
  const { host, reports, counted } = play(
    9,
    (host, time) => {
      host.interfaces.set("eth1", interfaceState(8, { address: 2 }));
      host.defaultRoute = time < 2000 ? "eth0" : time < 5000 ? undefined : "eth1";
    },
    { via: undefined },
  );
  assertEquals(host.opened.filter((what) => what.startsWith("group")), ["group 7", "group 8"]);
  assertEquals([reports[0], reports.at(-1), counted("reconnects")], ["up", "up", [1]]);
  assert(reports.some((why) => why.includes("no default route") && why.includes("`via`")));
});

Deno.test("A TAP that is down and cannot be brought up is opened again", () => {
  const { host, counted, reports } = play(
    5,
    once(2000, (host) => {
      host.upError = new OsError("os.ioctl", "Cannot bring goose0 up", { errno: "EPERM" });
      host.interfaces.set("goose0", interfaceState(1, { up: false }));
    }),
  );
  assertEquals(host.opened, ["tap", "group 7", "up", "tap"]);
  assertEquals([counted("reconnects"), reports.at(-1)], [[1], "up"]);
});

Deno.test("Both sides away are both told, each with its own reason", () => {
  const { reports } = play(3, (host) => {
    host.tapError = new OsError("os.ioctl", "Cannot make TAP goose0", { errno: "EBUSY" });
    host.groupError = new OsError("os.bind", "Cannot bind", { errno: "EADDRINUSE" });
  });
  assertEquals(reports.length, 1);
  assert(/Cannot make TAP goose0.*another TAP; Cannot bind/.test(reports[0]!), reports[0]);
});

Deno.test("An error that is none of the system's ends the path, with both sides closed", () => {
  let host: SimHot | undefined;
  const broken = new BugError("test.bug", "Ours");
  assert.throws(
    () =>
      play(5, (now, time) => {
        host = now;
        if (time > 1500) {
          now.interface = () => {
            throw broken;
          };
        }
      }),
    (error) => error === broken,
  );
  assertEquals([host!.tap!.closed, host!.group!.closed], [true, true]);
});

Deno.test("While the network is away frames are dropped and not kept", () => {
  const { host, reports, counted } = play(10, (host, time) => {
    if (time < 5000) host.interfaces.delete("eth0");
    else host.interfaces.set("eth0", interfaceState(9));
    if (time === 3000) host.tap!.input.push(FRAME, FRAME);
  });
  assert(reports[0]!.includes("no interface eth0"), reports[0]);
  assertEquals([reports.at(-1), host.group!.sent.length], ["up", 0]);
  assertEquals(counted("drop_no_network"), [2]);
  assert(host.opened.includes("group 9"));
});

Deno.test("A TAP that is taken down is brought up, one that is deleted is opened again", () => {
  const { host, counted, reports } = play(8, (host, time) => {
    if (time === 2000) host.interfaces.set("goose0", interfaceState(1, { up: false }));
    if (time === 5000) host.interfaces.delete("goose0");
  });
  assertEquals(host.opened, ["tap", "group 7", "up", "tap"]);
  assertEquals(counted("reconnects"), [1]);
  assertEquals(reports.at(-1), "up");
});

Deno.test("A TAP that says that it is gone while it is written to is opened again", () => {
  const { host, counted } = play(
    3,
    once(1500, (host) => {
      host.group!.input.push(datagram());
      host.tap!.writeFaults.push(-FAULT.gone);
    }),
  );
  assertEquals(host.opened.filter((what) => what === "tap").length, 2);
  assertEquals(counted("reconnects", "drop_no_tap"), [1, 1]);
});

const CHANGES: readonly (readonly [string, Parameters<typeof interfaceState>])[] = [
  ["another index", [8]],
  ["another address", [7, { address: 2 }]],
];
for (const [what, state] of CHANGES) {
  Deno.test(`A network interface with ${what} is joined again`, () => {
    const { host, counted, reports } = play(
      5,
      once(2000, (host) => {
        host.interfaces.set("eth0", interfaceState(...state));
      }),
    );
    assertEquals(host.opened.filter((one) => one.startsWith("group")).length, 2);
    assertEquals([counted("reconnects"), reports.at(-1)], [[1], "up"]);
  });
}

Deno.test("A network interface that is down is told, and joined again when it is up", () => {
  const { reports, counted } = play(10, (host, time) => {
    host.interfaces.set("eth0", interfaceState(7, { up: time < 2000 || time > 6000 }));
  });
  assertEquals([reports[0], reports.at(-1)], ["up", "up"]);
  assert(reports.some((report) => report.includes("eth0 is down")), reports.join("\n"));
  assertEquals(counted("reconnects"), [1]);
});

Deno.test("A TAP without carrier is degraded, but stays open", () => {
  const { host, reports } = play(6, (host, time) => {
    if (!host.interfaces.has("goose0")) return;
    const carrier = time < 2000 || time > 4000;
    host.interfaces.set("goose0", interfaceState(1, { carrier }));
  });
  assertEquals([reports[0], reports.at(-1)], ["up", "up"]);
  assert(reports.some((report) => report.includes("no carrier")), reports.join("\n"));
  assertEquals(host.opened, ["tap", "group 7"]);
});

Deno.test("A TAP whose carrier comes a little late is not told of", () => {
  const { reports } = play(3, (host, time) => {
    const open = host.openTap.bind(host);
    host.openTap = (options) => {
      const tap = open(options);
      host.interfaces.set("goose0", interfaceState(2, { carrier: false }));
      return tap;
    };
    if (time >= 500) host.interfaces.set("goose0", interfaceState(2));
  });
  assertEquals(reports, ["up"]);
});

Deno.test("A storm is carried with rests between the turns, a station's rate without", () => {
  const storm = play(1, (host, time) => {
    if (time > 200) {
      for (let index = 0; index < 20; index += 1) host.group!.input.push(datagram());
    }
  });
  assert(storm.host.rests > 100, String(storm.host.rests));
  const calm = play(1, (host, time) => {
    if (time > 200) host.group!.input.push(datagram());
    host.time += 0.5;
  });
  assertEquals(calm.host.rests, 0);
});

for (const away of ["nothing", "the network"]) {
  Deno.test(`Tracing with ${away} away writes 20 lines a second, and counts the frames between`, () => {
    const { traced, counted, lines } = play(
      6,
      (host, time) => {
        if (away === "the network") host.interfaces.delete("eth0");
        if (host.tap && time > 500 && time < 4500) host.tap.input.push(FRAME);
        if (host.tap && time > 5500) host.tap.input.push(FRAME);
        host.time += 1; // A frame a millisecond.
      },
      {},
      1,
    );
    for (let second = 0; second < 5; second += 1) {
      const within = traced.filter(({ at }) => at >= second * 1000 && at < second * 1000 + 1000);
      assert(within.length <= 40, `${within.length} lines in second ${second}`);
    }
    assertEquals(lines.filter((code) => code === "goose.frame").length, traced.length);
    const skipped = traced.reduce((sum, { fields }) => sum + Number(fields.skipped ?? 0), 0);
    const [read] = counted("tap_received") as [number];
    assert(skipped > 3000 && skipped + traced.length <= read, `${skipped} of ${read}`);
    assertEquals(Object.keys(traced[0]!.fields), ["to", "from", "length"]);
  });
}

Deno.test("Levels of tracing show more of a frame, never more than 64 octets", () => {
  const long = frame("010ccd010001", "88b8", "00".repeat(500));
  const shown = [0, 1, 2, 3].map((level) =>
    play(1, once(500, (host) => host.tap!.input.push(long)), {}, level).traced
      .map(({ fields }) => fields)
  );
  const first = { to: "01:0c:cd:01:00:01", from: "00:11:22:33:44:55", length: 514 };
  const header = `88 b8${" 00".repeat(12)}`;
  const octets = `01 0c cd 01 00 01 00 11 22 33 44 55 88 b8${" 00".repeat(50)}`;
  assertEquals(shown, [[], [first], [{ ...first, header }], [{ ...first, header, octets }]]);
});

Deno.test("A network that refuses peers is told without a group", () => {
  const { reports } = play(
    3,
    once(500, (host) => {
      host.tap!.input.push(FRAME);
      host.group!.sendResults.push(-FAULT.unreachable);
    }),
    { group: undefined, peers: ["10.0.0.2:61850"] },
  );
  assert(reports[1]!.includes("give this host a route to the peers"), reports.join("\n"));
});

Deno.test("A network that refuses what is sent is degraded, until something goes through", () => {
  let due = 500;
  const { reports, counted } = play(10, (host, time) => {
    if (time < due) return;
    due += 1000;
    host.tap!.input.push(FRAME);
    if (time < 6000) host.group!.sendResults.push(-1);
  });
  assertEquals(reports.map((report) => report.slice(0, 8)), ["up", "degraded", "up"]);
  assert(reports[1]!.includes("EPERM") && reports[1]!.includes("packet filter"), reports[1]);
  assertEquals(counted("drop_no_network", "frames_out"), [6, 4]);
});

Deno.test("What is wrong with a path is a point, told when it changes", () => {
  const down = (host: SimHot, time: number) => {
    const up = time < 2000 || time > 5000;
    host.interfaces.set("eth0", { ...interfaceState(7), up });
  };
  const { published } = play(10, down, { points: "alarms" });
  const degraded = published.filter(({ name }) => name === "alarm.degraded");
  assertEquals(degraded.map(({ value }) => value), [false, true, false]);
  assertEquals(play(10, down).published, [], "none unless asked for");
});

Deno.test("A nudge reaches the reports of the group", () => {
  const { host } = play(60, (host, time) => host.nudges = time > 30_000 ? 1 : 0);
  assertEquals(host.reports.filter(({ at }) => at > 29_000).length, 4);
});

Deno.test("A path asks for its priority, and goes on without it when it is refused", () => {
  assertEquals(play(1, () => {}, { realtime: 20 }).host.realtimePriority, 20);
  assertEquals(play(1).host.realtimePriority, 0);
  const refused = play(1, () => {}, { realtime: 20 }, 0, (host) => host.refusesRealtime = true);
  assertEquals([refused.reports, refused.lines], [["up"], ["goose.realtime"]]);
});

Deno.test("A wall clock that jumps moves no timer, and no age is made of it", () => {
  const send = (host: SimHot, time: number) => {
    host.epochOffset = time > 2000 && time < 4000 ? 3_600_000 : time >= 4000 ? -3_600_000 : 0;
    host.tap?.input.push(FRAME);
  };
  const { host, reports, counted } = play(10, send, { supervise: true });
  assertEquals(reports, ["up"]);
  assertEquals(counted("dropped", "reconnects", "stream_expirations"), [0, 0, 0]);
  assertEquals(host.reports.map(({ at }) => Math.round(at / 1000)), [0, 2]);
});
