/** Simulated piles, and the gateway itself, on a clock and a network of the test's own. */
import { millis } from "../../../src/base/time.ts";
import { runCli } from "../../../src/app/cli.ts";
import { simPilesCommand } from "../../../src/app/commands/sim_piles.ts";
import { systemProviders } from "../../../src/app/crypto_candidates.ts";
import { type Behaviour, Mischief, seeded, SimRelay } from "../../../src/app/sim_behaviour.ts";
import { cipherFor, registerCsv, simKey } from "../../../src/app/sim_pile_keys.ts";
import { SimPiles, type SimPilesOptions } from "../../../src/app/sim_piles.ts";
import type { Instant } from "../../../src/base/time.ts";
import {
  MAGIC,
  TYPE,
  verifySigned,
  writeFrame,
  writeImage,
} from "../../../src/protocol/cip22/mod.ts";
import { readPiles } from "../../../src/south/pile_gateway/register.ts";
import { assert, assertEquals } from "../../assert.ts";
import { Bench, PORT } from "../south/pile_gateway/bench.ts";
import { createScreen } from "./terminals.ts";

const PROVIDERS = systemProviders();
const MAKER = simKey({ seed: 99, signer: "secp256k1", providers: PROVIDERS }, 1);
const HTTP = 6123;

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `pile-000${at + 1}`);
}

/** A gateway, and piles that come to it. */
class Site extends Bench {
  readonly #over = new AbortController();
  readonly told: string[] = [];
  #run: Promise<void> | undefined;
  readonly keys = { seed: 5, signer: "secp256k1", providers: PROVIDERS } as const;
  names: string[] = [];

  override register(): void {
    this.files.set("/piles.csv", registerCsv(this.names, this.keys, "aes-gcm"));
  }

  async come(
    count: number,
    behaviour: Behaviour | "mix",
    more: Partial<SimPilesOptions> = {},
  ): Promise<SimPiles> {
    this.names = namesOf(count);
    this.files.set("/image", image());
    await this.start({
      http: `127.0.0.1:${HTTP}`,
      image: "/image",
      "image_key": MAKER.point.toHex(),
      "policy_signer": "secp256k1",
    });
    const piles = new SimPiles({
      to: { host: "127.0.0.1", port: more.perConnection === undefined ? PORT : HTTP },
      net: this.net,
      clock: this.clock,
      tls: undefined,
      perConnection: undefined,
      names: this.names,
      ramp: millis(2 * this.names.length),
      keys: this.keys,
      cipher: "aes-gcm",
      behaviour,
      device: { imageKey: MAKER },
      told: (line) => this.told.push(line),
      ...more,
    });
    this.#run = piles.run(this.#over.signal);
    await this.pass(2);
    return piles;
  }

  async pass(seconds: number): Promise<void> {
    for (let step = 0; step < seconds * 10; step += 1) await this.advance(100);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.advance(100);
    await this.#run;
    await super[Symbol.asyncDispose]();
  }
}

function image(): Uint8Array {
  const content = {
    version: "1.1.0",
    hardware: "busbar-sim",
    payload: new Uint8Array(5000).fill(7),
  };
  return writeImage(content, "secp256k1", (octets) => MAKER.sign(octets));
}

Deno.test("sim piles --register writes what the gateway reads, and the same for the same seed", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-sim-" });
  try {
    const call = async (...words: string[]) => {
      const { terminal, err } = createScreen();
      const path = `${folder}/piles.csv`;
      const all = ["sim", "piles", "--register", path, "--count", "12", ...words];
      const code = await runCli(all, [simPilesCommand], terminal, new AbortController().signal);
      return { code, err: err.join("\n"), text: Deno.readTextFileSync(path) };
    };
    const first = await call("--seed", "7");
    assertEquals(first.code, 0);
    assert(first.err.includes("Seed 7") && first.err.includes("for tests only"), first.err);
    const { rows, faults } = readPiles(first.text);
    assertEquals([rows.size, faults.length], [12, 0]);
    const { key, cipher } = rows.get("pile-0012")!;
    assertEquals([key.signer, cipher], ["sm2", "sm4-gcm"]);
    const octets = Uint8Array.of(1, 2, 3);
    const own = simKey({ seed: 7, signer: "sm2", providers: PROVIDERS }, 12);
    assert(verifySigned(key, octets, own.sign(octets)));
    assertEquals((await call("--seed", "7")).text, first.text);
    assert((await call("--seed", "8")).text !== first.text);
    const other = await call("--signer", "secp256k1", "--prefix", "P");
    assertEquals(readPiles(other.text).rows.get("P0001")!.cipher, "aes-gcm");
    assertEquals(cipherFor("secp256k1"), "aes-gcm");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("What nobody could mean is told before anything is done", async () => {
  for (
    const [words, said] of [
      [["--prefix", "a b"], "--prefix"],
      [["--count", "5001"], "--count"],
      [["--per-connection", "5"], "--http"],
      [["--certificate", "/none"], "--key is missing"],
      [["--behaviour", "nice"], "nice"],
      [["--policy-key", "xyz"], "hexadecimal"],
    ] as const
  ) {
    const { terminal, err } = createScreen();
    const { signal } = new AbortController();
    const code = await runCli(["sim", "piles", ...words], [simPilesCommand], terminal, signal);
    assertEquals(code, 2, words.join(" "));
    assert(err.join("\n").includes(said), err.join("\n"));
  }
});

for (const perConnection of [undefined, 3]) {
  const by = perConnection === undefined ? "frames" : "HTTP/2";
  Deno.test(`Good piles are believed, report, and do what the gateway says, by ${by}`, async () => {
    await using site = new Site();
    const piles = await site.come(7, "happy", { perConnection });
    assertEquals([piles.report.open, piles.report.authenticated], [7, 7]);
    assertEquals(site.net.tries.length, perConnection === undefined ? 7 : 3);
    assertEquals(await site.command("piles.pile-0003.charge", true), "done");
    await site.pass(30);
    assertEquals(site.value("piles.pile-0003.closed"), true);
    assert(Number(site.value("piles.pile-0003.energy")) > 50);
    assertEquals(await site.command("piles.pile-0003.charge", false), "done");
    await site.pass(1);
    assert(String(site.value("piles.pile-0003.trade")).includes("pile-0003-"));
    const { commands, statuses, relayChanges, trades, believed, alarms } = piles.report;
    assertEquals([relayChanges, trades, believed, alarms], [2, 1, 0, 0]);
    assert(commands >= 2 && statuses > 7 * 30, JSON.stringify(piles.report));
    assertEquals(piles.report.latency.count, 7);
  });
}

Deno.test("Who signs with another key is not believed, however often it comes", async () => {
  await using site = new Site();
  const piles = await site.come(3, "forged");
  await site.pass(30);
  const { authenticated, refused, believed, commands, open, unreachable } = piles.report;
  assertEquals([authenticated, believed, commands, open, unreachable], [0, 0, 0, 0, 3]);
  assert(refused >= 20, `${refused}`);
});

Deno.test("Old proofs and repeated frames are worth nothing", async () => {
  await using site = new Site();
  const piles = await site.come(3, "replay");
  await site.pass(90);
  const { authenticated, refused, believed } = piles.report;
  assertEquals(believed, 0);
  assert(authenticated > 6 && refused > 6, JSON.stringify(piles.report));
  assert(site.counters.get("replayed") > 10, "frames that came twice");
});

Deno.test("Piles that break off within frames and send garbage come back, and are served", async () => {
  await using site = new Site();
  const piles = await site.come(4, "flaky");
  await site.pass(60);
  const { connections, authenticated, refused } = piles.report;
  assert(connections > 12 && authenticated === connections, JSON.stringify(piles.report));
  assertEquals(refused, 0);
  await site.pass(1);
  assert(["done", "timed_out"].includes(await site.command("piles.pile-0002.charge", true, 2000)));
});

Deno.test("A relay that sticks is an alarm; new firmware that does not start is rolled back", async () => {
  await using site = new Site();
  const piles = await site.come(1, "stuck_relay");
  for (let turn = 0; turn < 12 && piles.report.alarms === 0; turn += 1) {
    await site.command("piles.pile-0001.charge", true);
    await site.command("piles.pile-0001.charge", false);
  }
  assert(site.told.some((line) => line.includes("the relay does not open")));
  assertEquals(site.value("piles.pile-0001.hazard"), true);
  await site.pass(25);
  assertEquals(site.value("piles.pile-0001.closed"), false);
  await using other = new Site();
  const bad = await other.come(1, "upgrade");
  assertEquals(await other.command("piles.pile-0001.upgrade", true), "done");
  await other.pass(15);
  assertEquals([bad.report.rolledBack, bad.report.upgraded, bad.report.open], [1, 0, 1]);
  assertEquals(other.value("piles.pile-0001.version"), "1.0.0");
  await using good = new Site();
  const fine = await good.come(1, "happy");
  assertEquals(await good.command("piles.pile-0001.upgrade", true), "done");
  await good.pass(10);
  assertEquals([fine.report.rolledBack, fine.report.upgraded, fine.report.open], [0, 1, 1]);
  assertEquals(good.value("piles.pile-0001.version"), "1.1.0");
});

Deno.test("A gateway that goes away is found again", async () => {
  await using site = new Site();
  const piles = await site.come(3, "happy");
  site.net.away.add("127.0.0.1");
  for (const name of site.names) await site.command(`piles.${name}.restart`, true);
  await site.pass(20);
  assertEquals([piles.report.open, piles.report.unreachable], [0, 3]);
  site.net.away.clear();
  await site.pass(80);
  assertEquals(piles.report.open, 3);
});

Deno.test("Garbage begins no frame, torn frames are whole together, a proof is sent again as it was", () => {
  const flaky = new Mischief("flaky", seeded(3));
  flaky.begin(0 as Instant);
  assert(flaky.breaksAt > 0 && flaky.breaksAt < Infinity);
  const frame = writeFrame(TYPE.status, Uint8Array.from({ length: 40 }, (_, at) => at));
  for (let turn = 0; turn < 500; turn += 1) {
    const sent = flaky.instead(frame, true);
    const all = Uint8Array.from(sent.flatMap((piece) => [...piece]));
    const at = all.indexOf(MAGIC[0]!);
    assertEquals(all.subarray(at).toHex(), frame.toHex());
  }
  const replay = new Mischief("replay", seeded(3));
  const proof = (octet: number) => writeFrame(TYPE.authResp, Uint8Array.of(octet));
  replay.begin(0 as Instant);
  assert(replay.isHonest);
  assertEquals(replay.instead(proof(1), false), [proof(1)]);
  replay.begin(0 as Instant);
  assert(!replay.isHonest);
  assertEquals(replay.instead(proof(2), false), [proof(1)]);
  replay.begin(0 as Instant);
  assert(replay.isHonest);
});

Deno.test("A relay that sticks stays closed, and comes loose by itself", () => {
  let now = 0 as Instant;
  const relay = new SimRelay(() => now, () => true);
  relay.closeRelay();
  relay.openRelay();
  relay.openRelay();
  assert(relay.relayClosed);
  now = 60_000 as Instant;
  assert(!relay.relayClosed);
  assertEquals(relay.changes, 2);
});
