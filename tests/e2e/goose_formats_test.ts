/** Format 2, keys, peers, the allow-list and supervision, on the executable between two hosts. */
import { assert, assertEquals } from "../assert.ts";
import { listen, publish } from "../bench/tools.ts";
import { needs } from "../needs.ts";
import { createPair, type Namespace, type Pair } from "../netns.ts";
import { Busbar, executable } from "./harness.ts";

const NEEDS = needs("root", "netns", "tun", "ip", "gcc");
const ID = "goose_bridge.path0";
const KEY = "0123456789abcdef0123456789abcdef";

async function start(namespace: Namespace, more: Record<string, unknown>): Promise<Busbar> {
  const path = { tap: "goose0", via: "eth0", ...more };
  const busbar = await Busbar.start(namespace, { "goose_bridge": { path0: path } }, {
    env: { KEY },
  });
  await busbar.untilUp(ID);
  return busbar;
}

const GROUP = { group: "224.0.1.100" };
const SIGNED = { ...GROUP, format: "v2", key: "${KEY}" };

async function counters(busbar: Busbar): Promise<Readonly<Record<string, number>>> {
  return (await busbar.status())!.services[ID]!.counters;
}

/** Publishes for a moment, and tells how many went in and came out. */
async function carry({ a, b }: Pair, seconds = 1, rate = 2000): Promise<[number, number]> {
  const sink = await listen(b, "goose0");
  const { sent } = await publish(a, "goose0", { rate, seconds });
  return [sent, (await sink.stop()).received];
}

Deno.test({
  name: "Format 2 with a key carries 2,000 frames/s and loses none",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using _a = await start(pair.a, SIGNED);
    await using b = await start(pair.b, SIGNED);
    const [sent, received] = await carry(pair, 3);
    assertEquals(received, sent);
    const { missing, drop_forged: forged, drop_replayed: replayed } = await counters(b);
    assertEquals([missing, forged, replayed], [0, 0, 0]);
  },
});

Deno.test({
  name: "A path with a key refuses other keys, no key, and format 1; each by its own reason",
  ...NEEDS,
  async fn() {
    const cases = [
      [{ ...SIGNED, key: "another key of the path" }, "drop_forged"],
      [{ ...GROUP, format: "v2" }, "drop_unsigned"],
      [{ ...GROUP, format: "v1" }, "drop_unknown_format"],
    ] as const;
    for (const [sender, reason] of cases) {
      using pair = createPair();
      await using _a = await start(pair.a, sender);
      await using b = await start(pair.b, SIGNED);
      const [sent, received] = await carry(pair, 0.3, 500);
      assertEquals([received, (await counters(b))[reason]], [0, sent], reason);
    }
  },
});

Deno.test({
  name: "A path that accepts any format hears peers of format 1 and of format 2",
  ...NEEDS,
  async fn() {
    for (const format of ["v1", "v2"]) {
      using pair = createPair();
      await using _a = await start(pair.a, { ...GROUP, format });
      await using _b = await start(pair.b, { ...GROUP, format: "v1", accept: "any" });
      const [sent, received] = await carry(pair, 0.3, 500);
      assertEquals(received, sent, format);
    }
  },
});

Deno.test({
  name: "R-GOOSE carries on UDP port 102, and tshark on the way reads it",
  ...needs("root", "netns", "tun", "ip", "gcc", "tshark"),
  async fn() {
    using pair = createPair();
    const rgoose = { ...GROUP, format: "rgoose" };
    await using _a = await start(pair.a, rgoose);
    await using b = await start(pair.b, rgoose);
    const args = ["-i", "eth0", "-n", "-l", "-a", "duration:20", "-c", "5", "-f", "udp"];
    const shark = pair.b.spawn(
      ["tshark", ...args, "-T", "fields", "-e", "udp.dstport", "-e", "rgoose.appid"],
      { stdout: "piped", stderr: "piped" },
    );
    const ready = shark.stderr.getReader();
    await ready.read();
    await ready.read();
    const [sent, received] = await carry(pair, 1, 500);
    assertEquals(received, sent);
    assertEquals((await counters(b)).malformed, 0);
    const text = await new Response(shark.stdout).text();
    await ready.cancel();
    await shark.status;
    assert(/^102\t0x[0-9a-f]{4}\n/.test(text), text);
  },
});

Deno.test({
  name: "The values of a data set are points of the host that hears it",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using _a = await start(pair.a, GROUP);
    await using b = await start(pair.b, { ...GROUP, supervise: true, points: "values" });
    pair.a.exec([
      ...[...executable(), "goose", "send", "--interface", "goose0", "--count", "3"],
      ...["--rate", "50", "--values", "bool:true,float:1.5,dbpos:on"],
    ]);
    await b.until("it came", ({ services }) => services[ID]!.counters.frames_in! >= 3);
    // From the path's thread they come to the main one by a message: soon, not at once.
    let values: { point: string; value: unknown }[] = [];
    for (let tries = 0; values.length < 3 && tries < 200; tries += 1) {
      const { body } = (await b.ask("/points?prefix=goose_bridge.path0.in."))!;
      const { points } = JSON.parse(body) as { points: { point: string; value: unknown }[] };
      values = points.filter(({ point }) => point.includes(".value."));
    }
    assertEquals(values.map(({ value }) => value), [true, 1.5, 2]);
  },
});

Deno.test({
  name: "A datagram that was recorded and is sent again is dropped",
  ...needs("root", "netns", "tun", "ip", "gcc", "python3"),
  async fn() {
    using pair = createPair();
    // With loop on, a recorder on the sender's host hears what goes out, and can send it again.
    await using _a = await start(pair.a, { ...SIGNED, loop: true });
    await using b = await start(pair.b, SIGNED);
    const script = [
      "import socket",
      "r=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)",
      "r.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)",
      "r.bind(('224.0.1.100',61850))",
      "m=socket.inet_aton('224.0.1.100')+socket.inet_aton('10.79.0.1')",
      "r.setsockopt(socket.IPPROTO_IP,socket.IP_ADD_MEMBERSHIP,m)",
      "print('ready',flush=True)",
      "d=r.recv(2000)",
      "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)",
      "s.setsockopt(socket.IPPROTO_IP,socket.IP_MULTICAST_IF,socket.inet_aton('10.79.0.1'))",
      "[s.sendto(d,('224.0.1.100',61850)) for _ in range(5)]",
    ];
    const recorder = pair.a.spawn(["python3", "-c", script.join("\n")], { stdout: "piped" });
    const reader = recorder.stdout.getReader();
    await reader.read();
    const { sent } = await publish(pair.a, "goose0", { rate: 100, seconds: 0.2 });
    await recorder.status;
    await reader.cancel();
    const { services } = await b.until(
      "the replays came",
      ({ services }) => services[ID]!.counters.group_received === sent + 5,
    );
    const { drop_replayed: replayed, frames_in: carried } = services[ID]!.counters;
    assertEquals([replayed, carried], [5, sent]);
  },
});

Deno.test({
  name: "Peers carry without any multicast",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    const to = (host: string) => ({ peers: [`${host}:61850`, "10.99.0.1:61850"] });
    await using a = await start(pair.a, to("10.79.0.2"));
    await using _b = await start(pair.b, to("10.79.0.1"));
    const igmp = pair.a.exec(["cat", "/proc/net/igmp"]).out;
    assert(!igmp.includes("640100E0"), igmp);
    const [sent, received] = await carry(pair, 1, 500);
    assertEquals(received, sent);
    // To the second there is no route: that costs the first nothing, and is counted.
    await a.until(
      "it is counted",
      ({ services }) => services[ID]!.counters.peer_missed === sent,
    );
  },
});

Deno.test({
  name: "Senders that are not on the allow-list are not heard, and counted",
  ...NEEDS,
  async fn() {
    for (const [allow, heard] of [["10.79.0.1", true], ["10.79.0.128/25", false]] as const) {
      using pair = createPair();
      await using _a = await start(pair.a, GROUP);
      await using b = await start(pair.b, { ...GROUP, allow: [allow] });
      const [sent, received] = await carry(pair, 0.3, 500);
      assertEquals(received, heard ? sent : 0);
      assertEquals((await counters(b)).drop_not_allowed, heard ? 0 : sent);
    }
  },
});

Deno.test({
  name: "Supervision shows streams, tells when one falls silent, and when it is back",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using _a = await start(pair.a, GROUP);
    await using b = await start(pair.b, { ...GROUP, supervise: true });
    const send = (count: number) =>
      pair.a.exec([
        ...executable(),
        // A time to live that a busy machine does not outlast between two frames.
        ...["goose", "send", "--interface", "goose0", "--rate", "50", "--ttl", "2s"],
        ...["--count", String(count)],
      ]);
    send(20);
    const silent = await b.until(
      "it is silent",
      ({ services }) =>
        services[ID]!.counters.stream_expirations === 1 &&
        streams(services[ID]!)[0]?.alive === false,
    );
    const [stream] = streams(silent.services[ID]!);
    assertEquals([stream!.frames, stream!.alive, stream!.lost, stream!.way], [20, false, 0, "in"]);
    const { body } = (await b.ask("/metrics"))!;
    const labels =
      /^busbar_goose_stream_frames_total\{service="goose_bridge.path0",way="in",.*\} 20$/m;
    assert(labels.test(body), body);
    const shown = pair.b.exec([...executable(), "goose", "streams"], { mayFail: true });
    assert(/path0 +in +silent/.test(shown.out), shown.out);
    send(10); // It begins anew, with stNum 1 and sqNum 1.
    await b.until("it is back", ({ services }) => {
      const [now] = streams(services[ID]!);
      return now!.frames === 30 && now!.restarts === 1;
    });
    const told = () => ["expired", "returned"].every((what) => b.log.includes(`stream.${what}`));
    await b.until("it was told", told);
  },
});

Deno.test({
  name: "A port of the station bus is bridged: tags come through, and nothing goes round",
  ...needs("root", "netns", "tun", "ip", "gcc", "tshark"),
  async fn() {
    using pair = createPair();
    // Beside host A a switch port: what is sent into `relay0` comes out of `station0`.
    for (const [device, peer] of [["station0", "relay0"]] as const) {
      pair.a.exec(["ip", "link", "add", device, "type", "veth", "peer", "name", peer]);
      for (const name of [device, peer]) pair.a.exec(["ip", "link", "set", name, "up"]);
    }
    const station = { interface: "station0", group: "224.0.1.100", via: "eth0", format: "v2" };
    const busbar = await Busbar.start(pair.a, { "goose_bridge": { path0: station } });
    await using a = busbar;
    await a.untilUp(ID);
    await using b = await start(pair.b, { ...GROUP, format: "v2" });
    // From the bus into the network, with the tag that the kernel takes away and gives beside.
    const sink = await listen(pair.b, "goose0");
    const tagged = await publish(pair.a, "relay0", { rate: 500, seconds: 0.4, vlan: 7 });
    const plain = await publish(pair.a, "relay0", { rate: 500, seconds: 0.4, first: 1 });
    assertEquals((await sink.stop()).received, tagged.sent + plain.sent);
    assertEquals((await counters(a)).tap_received_tagged, tagged.sent);
    // And back, out of the port, where the relay hears it; our own frames are not taken again.
    const relay = await listen(pair.a, "relay0");
    const back = await publish(pair.b, "goose0", { rate: 500, seconds: 0.4, vlan: 9 });
    assertEquals((await relay.stop()).received, back.sent);
    assertEquals((await counters(b)).group_received, tagged.sent + plain.sent);
    assertEquals((await counters(a)).frames_in, back.sent);
  },
});

Deno.test({
  name: "A station port that is down or gone is told, and taken again when it is back",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    const make = () => {
      pair.a.exec(["ip", "link", "add", "station0", "type", "veth", "peer", "name", "relay0"]);
      for (const name of ["station0", "relay0"]) pair.a.exec(["ip", "link", "set", name, "up"]);
    };
    make();
    const station = { interface: "station0", group: "224.0.1.100", via: "eth0" };
    await using a = await Busbar.start(pair.a, { "goose_bridge": { path0: station } });
    await a.untilUp(ID);
    const degraded = (word: string) =>
      a.until(word, ({ services }) => services[ID]!.why?.includes(word) === true);
    pair.a.exec(["ip", "link", "set", "station0", "down"]);
    await degraded("station0 is down");
    pair.a.exec(["ip", "link", "set", "station0", "up"]);
    await a.untilUp(ID);
    pair.a.exec(["ip", "link", "delete", "station0"]);
    await degraded("station0");
    make();
    await a.untilUp(ID);
    assert(pair.a.interfaces().includes("station0"));
    assertEquals((await a.end()).code, 0);
    assert(pair.a.interfaces().includes("station0"), "it is not ours to remove");
  },
});

interface Shown {
  readonly frames: number;
  readonly alive: boolean;
  readonly lost: number;
  readonly restarts: number;
  readonly way: string;
  readonly stream: string;
}

function streams(service: { readonly detail?: Readonly<Record<string, unknown>> }): Shown[] {
  return (service.detail?.streams ?? []) as Shown[];
}

Deno.test({
  name: "A message that comes twice is dropped where that was asked for",
  ...NEEDS,
  async fn() {
    for (const discard of [false, true]) {
      using pair = createPair([
        { name: "eth0", a: "10.79.0.1/24", b: "10.79.0.2/24" },
      ]);
      const twice = { "discard_duplicates": discard, supervise: true };
      await using _a = await start(pair.a, GROUP);
      await using b = await start(pair.b, { ...GROUP, ...twice });
      const first = await publish(pair.a, "goose0", { rate: 100, seconds: 0.2 });
      const again = await publish(pair.a, "goose0", { rate: 100, seconds: 0.2 });
      const all = first.sent + again.sent;
      const { services } = await b.until(
        "all came",
        ({ services }) => services[ID]!.counters.group_received === all,
      );
      const { frames_in: carried, drop_duplicate: dropped } = services[ID]!.counters;
      assertEquals(carried! + dropped!, all);
      if (!discard) assertEquals(dropped, 0);
    }
  },
});
