// deno-lint-ignore-file no-console -- what a run was like is printed, not asserted
/** What a path has to survive that comes from outside, on the executable between real hosts. */
import { assert, assertEquals } from "../assert.ts";
import { delay, listen, publish } from "../bench/tools.ts";
import { needs } from "../needs.ts";
import {
  createNamespace,
  createPair,
  joinNamespaces,
  type Namespace,
  type Pair,
} from "../netns.ts";
import { Busbar } from "./harness.ts";

const NEEDS = needs("root", "netns", "tun", "ip", "gcc", "python3");
const ID = "goose_bridge.path0";
const GROUP = "224.0.1.100";
const PEERS = new URL("../peers/goose/", import.meta.url).pathname;

async function start(namespace: Namespace, more: Record<string, unknown> = {}): Promise<Busbar> {
  const path = { tap: "goose0", via: "eth0", group: GROUP, ...more };
  const busbar = await Busbar.start(namespace, { "goose_bridge": { path0: path } });
  await busbar.untilUp(ID);
  return busbar;
}

async function carry({ a, b }: Pair, seconds = 0.5, rate = 1000): Promise<[number, number]> {
  const sink = await listen(b, "goose0");
  const { sent } = await publish(a, "goose0", { rate, seconds });
  return [sent, (await sink.stop()).received];
}

Deno.test({
  name: "A group that the kernel was made to leave behind busbar's back is joined again",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using _a = await start(pair.a);
    const checks = { "igmp_monitor_interval": "10s", "igmp_reregister_threshold": 1 };
    await using b = await start(pair.b, checks);
    const { out } = pair.b.exec([
      ...["python3", `${PEERS}leave_group.py`, String(b.pid), GROUP, "10.79.0.2"],
    ]);
    assertEquals(out, "1\n");
    const [sent, lost] = await carry(pair);
    assert(sent > 0 && lost === 0, "without the group nothing comes");
    await b.until(
      "it is joined again",
      ({ services }) => services[ID]!.counters.igmp_reregistered === 1,
    );
    await b.untilUp(ID);
    const [again, received] = await carry(pair);
    assertEquals(received, again);
  },
});

Deno.test({
  name:
    "A network that is parted for 30 s is told by every stream, and carries on when it is whole",
  ...NEEDS,
  async fn() {
    // A switch between the hosts: both keep their carrier while it forwards nothing.
    using middle = createNamespace();
    using a = createNamespace();
    using b = createNamespace();
    const links = [[a, "10.79.0.1/24", "porta"], [b, "10.79.0.2/24", "portb"]] as const;
    const ip = (...args: string[]) => middle.exec(["ip", "link", ...args]);
    ip("add", "switch", "type", "bridge");
    ip("set", "switch", "up");
    for (const [host, address, port] of links) {
      joinNamespaces(host, middle, { name: "eth0", a: address, b: "0.0.0.0/32" });
      ip("set", "eth0", "down");
      ip("set", "eth0", "name", port);
      ip("set", port, "master", "switch", "up");
    }
    await using _a = await start(a);
    await using busbar = await start(b, { supervise: true, points: "alarms" });
    const load = publish(a, "goose0", { rate: 100, seconds: 36 });
    await busbar.until("frames come", ({ services }) => services[ID]!.counters.frames_in! > 50);
    ip("set", "portb", "nomaster");
    await delay(30_000);
    const { services: parted } = (await busbar.status())!;
    ip("set", "portb", "master", "switch");
    const { sent } = await load;
    const { services } = await busbar.until(
      "all that was sent after it came",
      ({ services }) => {
        const { frames_in: carried, stream_lost: lost } = services[ID]!.counters;
        return carried! + lost! >= sent;
      },
    );
    const { frames_in: carried, stream_lost: lost, stream_expirations: silent } =
      services[ID]!.counters;
    assertEquals(parted[ID]!.state, "up", "nothing at this host is wrong");
    assertEquals(carried! + lost!, sent, "each frame came or was counted as lost");
    assert(lost! >= 1000, `${lost} lost in 30 s at 100/s`);
    assert(parted[ID]!.counters.stream_expirations! >= 1 && silent! >= 1);
    const { body } = (await busbar.ask(`/points?prefix=${ID}.in.`))!;
    assert(body.includes(".lost"), body);
  },
});

Deno.test({
  name: "Nonsense at full rate is counted, kills nothing, and good frames go on after it",
  ...NEEDS,
  async fn() {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0]! % 1_000_000;
    console.log(`seed ${seed}`);
    using pair = createPair();
    await using _a = await start(pair.a);
    const wide = { accept: "any", supervise: true, points: "values" };
    await using b = await start(pair.b, wide);
    const args = [String(seed), "4", GROUP, "61850", "10.79.0.1"];
    const { out } = pair.a.exec(["python3", `${PEERS}nonsense.py`, ...args]);
    console.log(`${Number(out) / 4} datagrams/s`);
    // Each came through or was counted; what the kernel dropped in front of us was never received.
    const { services } = await b.until("all is accounted for", ({ services }) => {
      const { group_received: got, frames_in: carried, dropped, drop_socket_queue: before } =
        services[ID]!.counters;
      return got! > 1000 && carried! + dropped! - before! === got;
    });
    const { frames_in: carried, malformed } = services[ID]!.counters;
    assert(malformed! > 0 && carried! > 0, `${malformed} malformed, ${carried} carried`);
    assertEquals(services[ID]!.restarts, 0);
    const [sent, received] = await carry(pair);
    assertEquals(received, sent);
  },
});

Deno.test({
  name: "Statistics and the gateway's view: written, asked, missing, nudged, and a full disk",
  ...needs("root", "netns", "tun", "ip", "gcc", "mount"),
  async fn() {
    using pair = createPair();
    const folder = Deno.makeTempDirSync({ prefix: "busbar-monitor-" });
    const call = (command: string, ...args: string[]) =>
      assert(new Deno.Command(command, { args }).outputSync().success, `${command} ${args}`);
    call("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder);
    try {
      const aws = `${folder}/aws`;
      const members = (list: string) =>
        Deno.writeTextFileSync(
          aws,
          `#!/bin/sh\necho "$@" > ${folder}/asked\necho '{"MulticastGroups":[${list}]}'\n`,
          { mode: 0o755 },
        );
      members("");
      const path = { tap: "goose0", via: "eth0", group: GROUP };
      await using b = await start(pair.b);
      await using busbar = await Busbar.start(pair.a, {
        "goose_bridge": { path0: path },
        "goose_monitor": {
          "stats_file": `${folder}/stats.json`,
          "stats_interval": "1s",
          "primary_domain": "tgw-mcast-domain-0a",
          "check_interval": "10s",
          aws,
        },
      });
      await busbar.untilUp(ID);
      await busbar.until("it is missing and was reported anew", ({ services }) => {
        const { igmp_reports: reports } = services[ID]!.counters;
        const { counters, state } = services.goose_monitor!;
        return state === "degraded" && counters.tgw_missing! >= 1 && reports! >= 4;
      });
      const asked = Deno.readTextFileSync(`${folder}/asked`);
      assert(asked.includes("--transit-gateway-multicast-domain-id tgw-mcast-domain-0a"), asked);
      const [sent] = await carry(pair);
      members(`{"GroupIpAddress":"${GROUP}","GroupMember":true}`);
      await busbar.untilUp("goose_monitor");
      await b.end();
      const read = () =>
        JSON.parse(Deno.readTextFileSync(`${folder}/stats.json`)) as {
          timestamp: number;
          statistics: {
            primary_path: { goose_to_ip: number };
            igmp_stats: { primary: { tgw_missing_count: number; tgw_present: boolean } };
          };
          health: { running: boolean };
        };
      await busbar.until("the file has it", () => {
        const { primary_path: path, igmp_stats: { primary } } = read().statistics;
        return path.goose_to_ip >= sent && primary.tgw_present && primary.tgw_missing_count >= 1;
      });
      // Now the disk is full: the last file stays, the path is not hurt.
      new Deno.Command("dd", {
        args: ["if=/dev/zero", `of=${folder}/fill`, "bs=4096"],
        stderr: "null",
      }).outputSync();
      const { services } = await busbar.until(
        "it is told",
        ({ services }) => services.goose_monitor!.why?.includes("stats.json") === true,
      );
      assertEquals(services[ID]!.state, "up");
      const before = read().timestamp;
      Deno.removeSync(`${folder}/fill`);
      await busbar.untilUp("goose_monitor");
      await busbar.until("it is written again", () => read().timestamp > before);
      assertEquals((await busbar.end()).code, 0);
      assertEquals(read().health.running, false);
    } finally {
      call("umount", folder);
      Deno.removeSync(folder);
    }
  },
});
