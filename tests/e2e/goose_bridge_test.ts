// deno-lint-ignore-file no-console -- figures belong beside the result
/**
 * The executable carrying GOOSE frames between two hosts, over two paths that know nothing of each
 * other: at rate, while one path is hurt in every way, at the end, and after the worst end.
 */
import { assert, assertEquals } from "../assert.ts";
import { bothPaths, startEnd } from "../bench/contenders.ts";
import { delay, listen, publish, type PublishReport, type SinkReport } from "../bench/tools.ts";
import { needs } from "../needs.ts";
import { createPair, type Namespace, type Pair } from "../netns.ts";
import { Busbar } from "./harness.ts";

const NEEDS = needs("root", "netns", "tun", "ip", "gcc");
const RATE = 2000;
/** How long frames may be on their way still; a crowded machine lets a process wait. */
const SETTLE_MS = 1000;
const IDS = ["goose_bridge.path0", "goose_bridge.path1"] as const;
const ROOT = new URL("../../", import.meta.url).pathname;

/** Two hosts with a network of its own for each path. */
function twoHosts(): Pair {
  return createPair([
    { name: "eth0", a: "10.79.0.1/24", b: "10.79.0.2/24" },
    { name: "eth1", a: "10.79.1.1/24", b: "10.79.1.2/24" },
  ]);
}

async function start(namespace: Namespace, side: "a" | "b"): Promise<Busbar> {
  const busbar = await Busbar.start(namespace, bothPaths(side, ["eth0", "eth1"]));
  await busbar.untilUp(...IDS);
  return busbar;
}

/** Publishes on a path at one end while `during` goes on, and tells what arrived at the other. */
async function carry(
  pair: Pair,
  tap: string,
  seconds: number,
  during: () => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly sent: PublishReport; readonly seen: SinkReport }> {
  const sink = await listen(pair.b, tap);
  const [sent] = await Promise.all([publish(pair.a, tap, { rate: RATE, seconds }), during()]);
  return { sent, seen: await sink.stop(SETTLE_MS) };
}

function assertWhole({ sent, seen }: Awaited<ReturnType<typeof carry>>, why: string): void {
  const { received, missing, duplicate, reordered, foreign, socketDrops } = seen;
  assertEquals(
    { received, missing, duplicate, reordered, foreign, socketDrops },
    { received: sent.sent, missing: 0, duplicate: 0, reordered: 0, foreign: 0, socketDrops: 0 },
    why,
  );
}

/** What the bridges themselves know to have dropped: it says where frames were lost. */
async function dropsOf(id: string, ...busbars: readonly Busbar[]): Promise<string> {
  const ends = await Promise.all(busbars.map(async (busbar) => {
    const counters = Object.entries((await busbar.status())!.services[id]!.counters);
    const told = /^(drop_|frames_|tap_received$|group_received$)/;
    return Object.fromEntries(counters.filter(([name, value]) => told.test(name) && value > 0));
  }));
  return JSON.stringify(ends);
}

function taps({ a, b }: Pair): string[] {
  return [...a.interfaces(), ...b.interfaces()].filter((name) => name.startsWith("goose"));
}

Deno.test({
  name: "Both paths carry 2,000 frames/s each for 10 s, and lose none",
  ...NEEDS,
  async fn() {
    using pair = twoHosts();
    await using _a = await start(pair.a, "a");
    await using b = await start(pair.b, "b");
    const [first, second] = await Promise.all([
      carry(pair, "goose0", 10),
      carry(pair, "goose1", 10),
    ]);
    assertWhole(first, "path 0");
    assertWhole(second, "path 1");
    const { services } = (await b.status())!;
    assertEquals(IDS.map((id) => services[id]!.counters.frames_in), [
      first.sent.sent,
      second.sent.sent,
    ]);
    for (const { seen } of [first, second]) console.log(JSON.stringify(seen.latencyUs));
  },
});

/** Each hurts path 0 of host A, and returns when it is well again. */
const FAULTS: Readonly<Record<string, (pair: Pair, a: Busbar) => Promise<void>>> = {
  async "its worker dies without a word"(_pair, a) {
    await hurtThread(a, "exit");
    await a.until("path 0 restarted", ({ services }) => services[IDS[0]]!.restarts >= 1);
    await a.untilUp(IDS[0]);
  },
  async "its worker hangs"(_pair, a) {
    await using held = await hurtThread(a, "stop");
    await a.until("path 0 restarted", ({ services }) => services[IDS[0]]!.restarts >= 1);
    await held[Symbol.asyncDispose]();
    await a.untilUp(IDS[0]);
  },
  async "its network interface goes down and comes back"(pair, a) {
    pair.a.exec(["ip", "link", "set", "eth0", "down"]);
    await a.until("path 0 degraded", ({ services }) => services[IDS[0]]!.state === "degraded");
    pair.a.exec(["ip", "link", "set", "eth0", "up"]);
    await a.untilUp(IDS[0]);
  },
  async "its TAP is deleted"(pair, a) {
    const index = indexOf((await a.status())!);
    pair.a.exec(["ip", "link", "delete", "goose0"]);
    await a.until("a new TAP", (status) => {
      const now = indexOf(status);
      return now > 0 && now !== index;
    });
    await a.untilUp(IDS[0]);
  },
};

function indexOf(status: { services: Readonly<Record<string, { detail?: unknown }>> }): number {
  const detail = status.services[IDS[0]]?.detail as { tap?: { index?: number } } | undefined;
  return detail?.tap?.index ?? 0;
}

/** Stops or kills the thread of path 0. What is returned holds it until it is disposed. */
async function hurtThread(busbar: Busbar, how: "stop" | "exit"): Promise<AsyncDisposable> {
  const line = busbar.log.split("\n").filter((text) =>
    text.includes('"worker.started"') && text.includes(`"${IDS[0]}"`)
  ).at(-1)!;
  const { thread } = JSON.parse(line) as { thread: number };
  const child = new Deno.Command(faultTool(), {
    args: [how, String(thread)],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "ready\n");
  let held = true;
  return {
    async [Symbol.asyncDispose]() {
      if (!held) return;
      held = false;
      if (how === "stop") child.kill("SIGTERM");
      await child.status;
      await reader.cancel();
    },
  };
}

let fault: string | undefined;

function faultTool(): string {
  if (fault !== undefined) return fault;
  const folder = Deno.makeTempDirSync({ prefix: "busbar-fault-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  fault = `${folder}/thread_fault`;
  const args = ["-O1", "-o", fault, `${ROOT}tests/peers/goose/thread_fault.c`];
  assert(new Deno.Command("gcc", { args }).outputSync().success);
  return fault;
}

for (const [what, hurt] of Object.entries(FAULTS)) {
  Deno.test({
    name: `Path 1 loses nothing while path 0 is hurt: ${what}`,
    ...NEEDS,
    async fn() {
      using pair = twoHosts();
      await using a = await start(pair.a, "a");
      await using b = await start(pair.b, "b");
      let well = false;
      const healing = async () => {
        await delay(500);
        await hurt(pair, a);
        well = true;
      };
      // As long as the healing takes, and at least once more.
      const rounds: Awaited<ReturnType<typeof carry>>[] = [];
      const healed = healing();
      while (!well && rounds.length < 15) {
        rounds.push(await carry(pair, "goose1", 2, () => Promise.race([healed, delay(1)])));
      }
      await healed;
      const drops = await dropsOf(IDS[1], a, b);
      for (const [index, round] of rounds.entries()) {
        const { sent, seen } = round;
        assertWhole(round, `path 1, round ${index}: ${JSON.stringify({ sent, seen, drops })}`);
      }
      assertWhole(await carry(pair, "goose0", 1), "path 0 after it was healed");
    },
  });
}

Deno.test({
  name: "SIGTERM under load removes the TAPs and ends with 0",
  ...NEEDS,
  async fn() {
    using pair = twoHosts();
    await using a = await start(pair.a, "a");
    await using b = await start(pair.b, "b");
    const load = Promise.all(
      ["goose0", "goose1"].map((tap) =>
        publish(pair.a, tap, { rate: RATE, seconds: 3 }).catch((error: unknown) => error)
      ),
    );
    await delay(1000);
    const ends = await Promise.all([a.end("SIGTERM"), b.end("SIGTERM")]);
    for (const { code, signal, ms } of ends) {
      console.log(`SIGTERM to exit under load: ${ms.toFixed(0)} ms`);
      assertEquals({ code, signal }, { code: 0, signal: null });
    }
    assertEquals(taps(pair), []);
    await load;
  },
});

Deno.test({
  name: "After kill -9 it starts again and carries on",
  ...NEEDS,
  async fn() {
    using pair = twoHosts();
    await using _b = await start(pair.b, "b");
    const first = await start(pair.a, "a");
    await first.end("SIGKILL");
    await first[Symbol.asyncDispose]();
    await using _again = await start(pair.a, "a");
    assertWhole(await carry(pair, "goose0", 1), "path 0");
    assertWhole(await carry(pair, "goose1", 1), "path 1");
  },
});

Deno.test({
  name: "Frames of one path never come out of the other, on one network for both",
  ...NEEDS,
  async fn() {
    using pair = createPair();
    await using _a = await startEnd(pair.a, "a");
    await using _b = await startEnd(pair.b, "b");
    const other = await listen(pair.b, "goose1");
    assertWhole(await carry(pair, "goose0", 1), "path 0");
    const { received, foreign } = await other.stop();
    assertEquals({ received, foreign }, { received: 0, foreign: 0 });
  },
});
