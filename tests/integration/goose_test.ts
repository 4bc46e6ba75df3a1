/** `busbar goose send` and `listen` over a real pair of interfaces. */
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";
import { createPair, type Namespace } from "../netns.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const BUSBAR = [Deno.execPath(), "run", "-A", "--no-check", MAIN, "goose"];

interface Line {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Starts a listener, and waits until it is bound: only then is a frame sure to be heard. */
async function listen(
  where: Namespace,
  ...words: string[]
): Promise<{ lines(): Promise<Line[]>; stop(): void; code(): Promise<number> }> {
  const child = where.spawn([...BUSBAR, "listen", "-i", "eth0", "--json", ...words], {
    stdout: "piped",
  });
  for (let tries = 0; tries < 400; tries += 1) {
    const { out } = where.exec(["cat", "/proc/net/packet"]);
    if (out.trim().split("\n").length > 1) break;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const output = child.output();
  return {
    stop: () => child.kill("SIGINT"),
    code: async () => (await output).code,
    lines: async () => {
      const text = new TextDecoder().decode((await output).stdout);
      return text.trim().split("\n").map((line) => JSON.parse(line) as Line);
    },
  };
}

function send(where: Namespace, ...words: string[]): Record<string, unknown> {
  const { out } = where.exec([...BUSBAR, "send", "-i", "eth0", "--json", ...words]);
  return JSON.parse(out);
}

Deno.test({
  name: "Goose frames that are sent are all taken, with tag, numbers and values",
  ...needs("root", "netns", "ip"),
  fn: async () => {
    // Goal: what send puts on a wire, listen takes from it, unchanged.
    // Method: two namespaces; every frame is compared with what was asked for.
    using pair = createPair();
    const listener = await listen(pair.b, "--count", "200", "--duration", "30s");
    const values = 'bool:true,int:-5,{float:1.5,quality:good},string:"a b"';
    const sent = send(
      pair.a,
      ..."--rate 500 --count 200 --vlan 5 --priority 6 --appid 0x3fff --goid g --dst".split(" "),
      "01:0c:cd:01:01:ff",
      "--values",
      values,
      "--change-every",
      "50",
    );
    assertEquals([sent.sent, sent.changes], [200, 3]);
    const lines = await listener.lines();
    assertEquals(await listener.code(), 0);
    const frames = lines.filter(({ type }) => type === "frame");
    assertEquals(frames.length, 200);
    for (const frame of frames) {
      assertEquals(frame.tags, [{ tpid: 0x8100, priority: 6, drop_eligible: false, vlan: 5 }]);
      assertEquals([frame.appid, frame.goid, frame.destination, frame.source], [
        0x3fff,
        "g",
        "01:0c:cd:01:01:ff",
        sent.source,
      ]);
      assertEquals(frame.odd, []);
    }
    assertEquals(frames[0]!.values, [
      "bool:true",
      "int:-5",
      "{float:1.5,bits:0000000000000}",
      'string:"a b"',
    ]);
    assertEquals([frames[0]!.stnum, frames[0]!.sqnum], [1, 1]);
    assertEquals([frames[199]!.stnum, frames[199]!.sqnum], [4, 49]);
    const summary = lines.at(-1)!;
    assertEquals([summary.type, summary.taken, summary.dropped_by_kernel], ["summary", 200, 0]);
    const [stream] = summary.streams as Record<string, unknown>[];
    assertEquals([stream!.lost, stream!.duplicates, stream!.changes], [0, 0, 3]);
  },
});

Deno.test({
  name: "Goose listener keeps every tag: none, priority only, and two",
  ...needs("root", "netns", "ip", "python3"),
  fn: async () => {
    using pair = createPair();
    const listener = await listen(pair.b, "--count", "3", "--duration", "30s");
    send(pair.a, "--count", "1");
    send(pair.a, "--count", "1", "--priority", "1");
    // Our publisher writes one tag at most; the second one comes from a plain socket.
    const raw = "import socket,sys\n" +
      "s=socket.socket(17,3,0);s.bind(('eth0',0));s.send(bytes.fromhex(sys.argv[1]))";
    const message =
      "100000320000000061288001618101648201628408000000000000000085010186010087010088" +
      "01018901008a0100ab00";
    const length = (message.length / 2).toString(16).padStart(4, "0");
    const pdu = (message.length / 2 - 10).toString(16).padStart(2, "0");
    const fixed = `1000${length}0000000061${pdu}${message.slice(20)}`;
    const frame = `010ccd010001020000000001${"88a8e00a"}${"8100b005"}88b8${fixed}`;
    pair.a.exec(["python3", "-c", raw, frame]);
    const frames = (await listener.lines()).filter(({ type }) => type === "frame");
    assertEquals(frames.map(({ tags }) => tags), [
      [],
      [{ tpid: 0x8100, priority: 1, drop_eligible: false, vlan: 0 }],
      [
        { tpid: 0x88a8, priority: 7, drop_eligible: false, vlan: 10 },
        { tpid: 0x8100, priority: 5, drop_eligible: true, vlan: 5 },
      ],
    ]);
  },
});

Deno.test({
  name: "Goose listener says why a frame is not taken, and ends at an interrupt",
  ...needs("root", "netns", "ip"),
  fn: async () => {
    using pair = createPair();
    const listener = await listen(pair.b, "--appid", "1000", "--vlan", "none");
    send(pair.a, "--count", "1", "--appid", "0x1000");
    send(pair.a, "--count", "1", "--appid", "1000", "--vlan", "7");
    send(pair.a, "--count", "2", "--appid", "1000");
    listener.stop();
    const lines = await listener.lines();
    assertEquals(await listener.code(), 0);
    const reasons = lines.filter(({ type }) => type === "refused").map(({ why }) => why);
    assertEquals(reasons, ["APPID is 0x1000, not 0x03e8", "VLAN is 7, not none"]);
    assertEquals([lines.at(-1)!.taken, lines.at(-1)!.refused], [2, 2]);
  },
});

Deno.test({
  name: "Goose listener hears station traffic only, and everything with --all",
  ...needs("root", "netns", "ip", "python3"),
  fn: async () => {
    using pair = createPair();
    const raw = "import socket,sys\n" +
      "s=socket.socket(17,3,0);s.bind(('eth0',0))\n" +
      "for f in sys.argv[1:]: s.send(bytes.fromhex(f))";
    const body = "020000000001" + "0800" + "00".repeat(46);
    const sampled = "010ccd040001020000000001" + "810080058" + "8ba" + "00".repeat(46);
    const frames = [`ffffffffffff${body}`, `010ccd010001${body}`, sampled];
    const ipv4 = "EtherType is 0x0800 (IPv4), not 0x88b8";
    const values = "EtherType is 0x88ba (sampled values), not 0x88b8";
    const heard = async (...words: string[]) => {
      const listener = await listen(pair.b, "--count", "1", "--duration", "30s", ...words);
      pair.a.exec(["python3", "-c", raw, ...frames]);
      send(pair.a, "--count", "1");
      return (await listener.lines()).filter(({ type }) => type === "refused").map((
        { why, tags },
      ) => [why, (tags as unknown[]).length]);
    };
    assertEquals(await heard(), [[ipv4, 0], [values, 1]]);
    const all = await heard("--all");
    assertEquals(all.filter(([why]) => why === ipv4).length, 2);
  },
});

Deno.test({
  name: "Goose listener that waits in vain fails",
  ...needs("root", "netns", "ip"),
  fn: async () => {
    using pair = createPair();
    const listener = await listen(pair.b, "--count", "1", "--duration", "300ms");
    assertEquals(await listener.code(), 1);
    assertEquals((await listener.lines()).at(-1)!.taken, 0);
  },
});

Deno.test({
  name: "Goose listener tells its counts when the interface goes away",
  ...needs("root", "netns", "ip"),
  fn: async () => {
    using pair = createPair();
    const listener = await listen(pair.b, "--duration", "30s");
    send(pair.a, "--count", "3", "--rate", "100");
    pair.b.exec(["ip", "link", "delete", "eth0"]);
    assertEquals(await listener.code(), 1);
    assertEquals((await listener.lines()).at(-1)!.taken, 3);
  },
});

Deno.test({
  name: "Goose commands say what is wrong with the interface",
  ...needs("root", "netns", "ip"),
  fn: () => {
    using pair = createPair();
    const none = pair.a.exec([...BUSBAR, "listen", "-i", "nowhere"], { mayFail: true });
    assertEquals([none.code, none.err.trim()], [
      1,
      "busbar: There is no interface nowhere [os.interface.none]",
    ]);
    pair.a.exec(["ip", "link", "set", "eth0", "down"]);
    const down = pair.a.exec([...BUSBAR, "send", "-i", "eth0"], { mayFail: true });
    assertEquals(down.code, 1);
    assert(down.err.includes("Cannot send on eth0: the interface is down"), down.err);
  },
});

Deno.test({
  name: "Many streams with a data set in JSON are captured into a file that tshark reads",
  ...needs("root", "netns", "ip", "tshark"),
  fn: async () => {
    using pair = createPair();
    const folder = Deno.makeTempDirSync({ prefix: "busbar-capture-" });
    try {
      const file = `${folder}/x.pcapng`;
      const capture = ["capture", "-i", "eth0", "-w", file, "--count", "200", "--duration", "30s"];
      const child = pair.b.spawn([...BUSBAR, ...capture], { stderr: "piped" });
      while (pair.b.exec(["cat", "/proc/net/packet"]).out.trim().split("\n").length < 2) {
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      const words = "--rate 50 --count 200 --streams 20 --stnum 7 --sqnum 3 --vlan 5".split(" ");
      const sent = send(pair.a, ...words, "--dataset", '[true, {"structure": [1.5]}]');
      assertEquals([sent.sent, sent.streams], [200, 20]);
      const { code, stderr } = await child.output();
      const said = new TextDecoder().decode(stderr);
      assertEquals([code, said.startsWith("200 frames in ")], [0, true]);
      const fields = ["goose.appid", "eth.dst", "goose.gocbRef", "goose.stNum", "goose.sqNum"];
      const read = new Deno.Command("tshark", {
        args: ["-r", file, "-n", "-T", "fields"].concat(
          ...[...fields, "vlan.id", "goose.float_value"].map((field) => ["-e", field]),
        ),
      }).outputSync();
      const rows = new TextDecoder().decode(read.stdout).trimEnd().split("\n");
      assertEquals(rows.length, 200);
      assertEquals(new Set(rows.map((row) => row.split("\t")[0])).size, 20);
      const row = rows.find((row) => row.startsWith("0x1013\t") && row.includes("\t7\t3\t"));
      const value = "BUSBAR/LLN0$GO$gcb20\t7\t3\t5\t";
      assert(row?.startsWith(`0x1013\t01:0c:cd:01:00:14\t${value}`), row ?? rows[0]);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "A capture that is interrupted is whole, and one that cannot be written says so",
  ...needs("root", "netns", "ip", "tshark"),
  fn: async () => {
    using pair = createPair();
    const file = Deno.makeTempFileSync({ suffix: ".pcapng" });
    try {
      const child = pair.b.spawn([...BUSBAR, "capture", "-i", "eth0", "-w", file], {
        stderr: "piped",
      });
      while (pair.b.exec(["cat", "/proc/net/packet"]).out.trim().split("\n").length < 2) {
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      send(pair.a, "--rate", "100", "--count", "10");
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.kill("SIGINT");
      assertEquals((await child.output()).code, 0);
      const read = new Deno.Command("tshark", { args: ["-r", file, "-n"] }).outputSync();
      assertEquals(new TextDecoder().decode(read.stdout).trimEnd().split("\n").length, 10);
      const full = ["capture", "-i", "eth0", "-w", "/dev/full", "--duration", "1s"];
      const { code, err } = pair.b.exec([...BUSBAR, ...full], { mayFail: true });
      assert(code !== 0 && err.includes("Cannot write /dev/full"), `${code} ${err}`);
    } finally {
      Deno.removeSync(file);
    }
  },
});
