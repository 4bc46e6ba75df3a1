/** What the executable does to interfaces and puts on the wire, seen from outside. */
import { assert, assertEquals } from "../assert.ts";
import { bothPaths, startEnd } from "../bench/contenders.ts";
import { delay, listen, publish } from "../bench/tools.ts";
import { needs } from "../needs.ts";
import { createNamespace, createPair, type Namespace } from "../netns.ts";
import { Busbar } from "./harness.ts";

const NEEDS = needs("root", "netns", "tun", "ip", "gcc");
const CAPTURE = needs("root", "netns", "tun", "ip", "gcc", "tshark");
const ROOT = new URL("../../", import.meta.url).pathname;
const ID = "goose_bridge.path0";

/** Path 0 alone. */
function path0(more: Record<string, unknown> = {}) {
  const path = { tap: "goose0", address: "192.168.100.1/24", group: "224.0.1.100", via: "eth0" };
  return { "goose_bridge": { path0: { ...path, ...more } } };
}

async function startOne(namespace: Namespace, more: Record<string, unknown> = {}) {
  const busbar = await Busbar.start(namespace, path0(more));
  await busbar.untilUp(ID);
  return busbar;
}

async function counters(busbar: Busbar): Promise<Readonly<Record<string, number>>> {
  return (await busbar.status())!.services[ID]!.counters;
}

/** Fields of the first packet that passes an interface; the capture listens before `then` begins. */
async function capture(
  namespace: Namespace,
  device: string,
  filter: string,
  fields: readonly string[],
  then: () => Promise<unknown>,
): Promise<string> {
  const command = ["timeout", "30", "tshark", "-i", device, "-f", filter, "-c", "1", "-l"].concat(
    ["-T", "fields", "-E", "separator=,"],
    fields.flatMap((field) => ["-e", field]),
  );
  const child = namespace.spawn(command, { stdout: "piped", stderr: "piped" });
  const output = new Response(child.stdout).text();
  let said = "";
  const listening = Promise.withResolvers<void>();
  const errors = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes("Capturing on")) listening.resolve();
    }
    listening.resolve();
  })();
  await listening.promise;
  await delay(500); // It says so a moment before it does.
  await then();
  const text = await output;
  await Promise.all([child.status, errors]);
  assert(text !== "", said);
  return text.trimEnd();
}

/** Compiles one of the peers. */
function peer(name: string): { readonly path: string } & Disposable {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-peer-" });
  const path = `${folder}/${name}`;
  const args = ["-O1", "-o", path, `${ROOT}tests/peers/goose/${name}.c`];
  assert(new Deno.Command("gcc", { args }).outputSync().success);
  return { path, [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}

/** Counts what a carelessly bound socket hears in a group while `then` goes on. */
async function hearWildcard(namespace: Namespace, group: string, then: () => Promise<unknown>) {
  using program = peer("wildcard");
  const child = namespace.spawn([program.path, group, "61850", "eth0"], { stdout: "piped" });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, "ready\n");
  await then();
  await delay(200);
  child.kill("SIGTERM");
  const { value } = await reader.read();
  await child.status;
  await reader.cancel();
  return JSON.parse(value!) as { own: number; other: number };
}

Deno.test({
  name: "A TAP is made as asked, and gone at the end",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using busbar = await startOne(pair.a, { mtu: 1400, "queue_length": 2345 });
    const [link] = JSON.parse(pair.a.exec(["ip", "-j", "addr", "show", "goose0"]).out);
    assertEquals([link.mtu, link.txqlen, link.operstate === "DOWN"], [1400, 2345, false]);
    assertEquals(link.addr_info[0].local, "192.168.100.1");
    assertEquals(link.addr_info[0].prefixlen, 24);
    assertEquals((await busbar.end()).code, 0);
    assert(!pair.a.interfaces().includes("goose0"));
  },
});

Deno.test({
  name: "A persistent TAP is adopted, and left in place at the end",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    pair.a.exec(["ip", "tuntap", "add", "dev", "goose0", "mode", "tap"]);
    await using busbar = await startOne(pair.a);
    const detail = (await busbar.status())!.services[ID]!.detail as { tap: { adopted: boolean } };
    assertEquals(detail.tap.adopted, true);
    assertEquals((await busbar.end()).code, 0);
    assert(pair.a.interfaces().includes("goose0"));
  },
});

Deno.test({
  name: "A TAP that is taken down is brought up",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using busbar = await startOne(pair.a);
    pair.a.exec(["ip", "link", "set", "goose0", "down"]);
    for (let tries = 0; !isUp(pair.a, "goose0"); tries += 1) {
      assert(tries < 300, "it stays down");
      await delay(50);
    }
    await busbar.untilUp(ID);
  },
});

function isUp(namespace: Namespace, name: string): boolean {
  const [link] = JSON.parse(namespace.exec(["ip", "-j", "link", "show", name]).out);
  return link.flags.includes("UP");
}

Deno.test({
  name: "A network interface that is deleted and made anew is joined again",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using a = await startOne(pair.a);
    await using b = await startOne(pair.b);
    pair.a.exec(["ip", "link", "delete", "eth0"]);
    const degraded = (busbar: Busbar) =>
      busbar.until("degraded", ({ services }) => services[ID]!.state === "degraded");
    const { services } = await degraded(a);
    assert(services[ID]!.why!.includes("eth0"), services[ID]!.why);
    await degraded(b);
    pair.a.exec(
      ["ip", "link", "add", "eth0", "type", "veth"].concat(["peer", "name", "eth0"], [
        "netns",
        pair.b.name,
      ]),
    );
    for (
      const [namespace, address] of [[pair.a, "10.79.0.1/24"], [pair.b, "10.79.0.2/24"]] as const
    ) {
      namespace.exec(["ip", "addr", "add", address, "dev", "eth0"]);
      namespace.exec(["ip", "link", "set", "eth0", "up"]);
    }
    await a.untilUp(ID);
    await b.untilUp(ID);
    const sink = await listen(pair.b, "goose0");
    const { sent } = await publish(pair.a, "goose0", { rate: 1000, seconds: 0.5 });
    assertEquals((await sink.stop()).received, sent);
  },
});

Deno.test({
  name: "A careless socket hears both groups, which is what the paths must not, and do not",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using _a = await startEnd(pair.a, "a", {});
    await using b = await Busbar.start(pair.b, bothPaths("b"));
    await b.untilUp("goose_bridge.path0", "goose_bridge.path1");
    let sent = 0;
    const heard = await hearWildcard(pair.b, "224.0.1.101", async () => {
      sent = (await publish(pair.a, "goose0", { rate: 1000, seconds: 0.5 })).sent;
    });
    // The control: this host has joined both groups, so a wildcard socket gets the other one's too.
    assertEquals(heard, { own: 0, other: sent });
    const { services } = (await b.status())!;
    assertEquals(services["goose_bridge.path0"]!.counters.frames_in, sent);
    assertEquals(services["goose_bridge.path1"]!.counters.group_received, 0);
  },
});

Deno.test({
  name: "A host hears itself only when loop is on",
  ...NEEDS,
  async fn() {
    for (const loop of [false, true]) {
      using pair = createPair();
      await using a = await startOne(pair.a, { loop });
      let sent = 0;
      const heard = await hearWildcard(pair.a, "224.0.1.100", async () => {
        sent = (await publish(pair.a, "goose0", { rate: 500, seconds: 0.3 })).sent;
      });
      assertEquals(heard.own, loop ? sent : 0);
      assertEquals((await counters(a)).group_received, loop ? sent : 0);
    }
  },
});

Deno.test({
  name: "Datagrams go out with TTL, DSCP, DF and both ports as they should",
  ...CAPTURE,
  async fn() {
    using pair = createPair();
    await using _ = await startOne(pair.a, { ttl: 7, dscp: 34 });
    const fields = [
      "ip.dst",
      "ip.ttl",
      "ip.dsfield.dscp",
      "ip.flags.df",
      "udp.srcport",
      "udp.dstport",
    ];
    const line = await capture(
      pair.b,
      "eth0",
      "udp port 61850",
      fields,
      () => publish(pair.a, "goose0", { rate: 100, seconds: 1 }),
    );
    assert(/^224\.0\.1\.100,7,34,(1|True),61850,61850$/.test(line), line);
  },
});

Deno.test({
  name: "A frame that does not fit the network is dropped and counted, and the next one goes",
  ...NEEDS,
  async fn() {
    using pair = createPair([{ name: "eth0", a: "10.79.0.1/24", b: "10.79.0.2/24", mtu: 1400 }]);
    await using a = await startOne(pair.a);
    await using b = await startOne(pair.b);
    const large = await publish(pair.a, "goose0", { rate: 200, seconds: 0.2, size: 1450 });
    const small = await publish(pair.a, "goose0", { rate: 200, seconds: 0.2 });
    await b.until(
      "they arrived",
      ({ services }) => services[ID]!.counters.frames_in === small.sent,
    );
    const { drop_too_big: tooBig, frames_out: out } = await counters(a);
    assertEquals([tooBig, out], [large.sent, small.sent]);
  },
});

Deno.test({
  name: "A tagged frame keeps its VLAN and leaves with priority 4",
  ...CAPTURE,
  async fn() {
    using pair = createPair();
    await using _a = await startOne(pair.a);
    await using _b = await startOne(pair.b);
    const fields = ["eth.dst", "vlan.id", "vlan.priority", "vlan.etype"];
    const line = await capture(
      pair.b,
      "goose0",
      "vlan",
      fields,
      () => publish(pair.a, "goose0", { rate: 100, seconds: 1, vlan: 5 }),
    );
    assertEquals(line, "01:0c:cd:01:00:01,5,4,0x88b8");
  },
});

Deno.test({
  name: "A datagram as a peer of the old system sends it comes out as the frame it stands for",
  ...CAPTURE,
  async fn() {
    using pair = createPair();
    await using a = await startOne(pair.a);
    pair.b.exec(["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"]);
    // (printf sends at every line feed, so there is none.) Source, time, tagged, VLAN 5, then
    // APPID, length and a PDU that is none; then a runt.
    const header = "00112233445500063960" + "7acc6640" + "00010005";
    const octets = `${header}03e8000c00000000dead`.replace(/../g, "\\x$&");
    const send = `printf '${octets}' > /dev/udp/224.0.1.100/61850`;
    const fields = ["eth.dst", "eth.src", "vlan.id", "vlan.priority", "vlan.etype", "frame.len"];
    const line = await capture(
      pair.a,
      "goose0",
      "ether src 00:11:22:33:44:55",
      fields,
      async () => {
        for (let index = 0; index < 5; index += 1) {
          pair.b.exec(["bash", "-c", send]);
          await delay(50);
        }
        pair.b.exec(["bash", "-c", "printf short > /dev/udp/224.0.1.100/61850"]);
      },
    );
    assertEquals(line, "01:0c:cd:01:00:01,00:11:22:33:44:55,5,4,0x88b8,28");
    const seen = await a.until(
      "the runt was counted",
      ({ services }) => services[ID]!.counters.drop_short_datagram === 1,
    );
    assertEquals(seen.services[ID]!.counters.frames_in, 5);
  },
});

Deno.test({
  name: "Without the capability it still serves /status, and says what is missing",
  ...needs("root", "netns", "tun", "ip", "setpriv"),
  async fn() {
    using namespace = createNamespace();
    const sets = ["--bounding-set=-net_admin,-net_raw", "--inh-caps=-net_admin,-net_raw"];
    await using busbar = await Busbar.start(namespace, path0({ via: "lo" }), {
      prefix: ["setpriv", ...sets],
    });
    const { services, health } = await busbar.until(
      "degraded",
      ({ services }) => services[ID]!.state === "degraded",
    );
    assertEquals(health, "degraded");
    assert(services[ID]!.why!.includes("NET_ADMIN"), services[ID]!.why);
    assertEquals((await busbar.ask("/readyz"))!.code, 200);
    assertEquals((await busbar.end()).code, 0);
  },
});

Deno.test({
  name: "IGMP reports of our own are on the wire: version 2, to the group, TTL 1, Router Alert",
  ...CAPTURE,
  async fn() {
    using pair = createPair();
    let busbar: Busbar | undefined;
    const fields = ["ip.src", "ip.dst", "ip.ttl", "igmp.type", "igmp.maddr", "ip.opt.type"];
    // The kernel itself reports with version 3 here, so a report of version 2 can only be ours.
    const filter = "igmp and dst host 224.0.1.100";
    const line = await capture(pair.b, "eth0", filter, fields, async () => {
      busbar = await startOne(pair.a);
    });
    await using running = busbar!;
    assert(/^10\.79\.0\.1,224\.0\.1\.100,1,0x16,224\.0\.1\.100,(148|0x94)$/.test(line), line);
    await running.until(
      "both reports were sent",
      ({ services }) => services[ID]!.counters.igmp_reports === 2,
    );
  },
});
