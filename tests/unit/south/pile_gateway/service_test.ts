import { QUALITY } from "../../../../src/points/points.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { REFUSALS_PER_MINUTE } from "../../../../src/south/pile_gateway/audit.ts";
import { signing } from "../../../sim/piles.ts";
import { Bench } from "./bench.ts";

for (const signer of ["sm2", "secp256k1"] as const) {
  Deno.test(`A pile that signs with ${signer} is believed, tells its state, and is commanded`, async () => {
    await using bench = new Bench();
    const pile = bench.pile("P1", signer);
    await bench.start();
    assertEquals(bench.value("piles.P1.online"), false);
    await pile.connect();
    assertEquals(pile.events[0]?.kind, "opened");
    assertEquals([bench.value("piles.P1.online"), bench.counters.get("authenticated")], [true, 1]);
    pile.status({ state: 1, power: 0, energy: 1234, limit: 3500, policyVersion: 0 });
    await bench.advance(10);
    assertEquals(
      ["state", "closed", "power", "energy", "limit"].map((name) =>
        bench.value(`piles.P1.${name}`)
      ),
      [1, false, 0, 1234, 3500],
    );
    assertEquals(await bench.command("piles.P1.charge", true), "done");
    pile.status({ state: 2, closed: true, power: 3400 });
    await bench.advance(10);
    assertEquals([bench.value("piles.P1.closed"), bench.value("piles.P1.power")], [true, 3400]);
    assertEquals(await bench.command("piles.P1.set_limit", 1000), "done");
    assertEquals(await bench.command("piles.P1.charge", false), "done");
    assertEquals(await bench.command("piles.P1.unlock", true), "done");
    assertEquals(pile.kinds, ["start", "limit", "stop", "unlock"]);
    assertEquals(
      (pile.heard.find(({ kind }) => kind === "limit") as { limit?: number }).limit,
      1000,
    );
    const audit = bench.writer.batches.flatMap(({ audit }) => audit);
    assertEquals(
      audit.filter(({ outcome }) => outcome === "done").map(({ point, value }) =>
        `${point} ${value}`
      ),
      [
        "pile_gateway.auth P1 101",
        "piles.P1.charge true",
        "piles.P1.set_limit 1000",
        "piles.P1.charge false",
        "piles.P1.unlock true",
      ],
    );
  });
}

Deno.test("What the table of states refuses is not sent, and what the pile refuses is told", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  const away = await bench.command("piles.P1.charge", true);
  assertEquals(away, "refused: Pile: it cannot be reached");
  await pile.connect();
  pile.status({ state: 3, reason: 7, hazard: true });
  await bench.advance(10);
  assertEquals(await bench.command("piles.P1.charge", true), "refused: Pile: it has a fault");
  assertEquals(
    await bench.command("piles.P1.upgrade", true),
    "refused: Pile: its fault endangers people",
  );
  assertEquals(pile.kinds, []);
  pile.status({ state: 1 });
  await bench.advance(10);
  pile.answer = () => ({ result: 1, text: "its door is open" });
  assertEquals(
    await bench.command("piles.P1.charge", true),
    "refused: Pile: its door is open",
  );
  pile.answer = () => undefined;
  assertEquals(await bench.command("piles.P1.charge", true, 25_000), "timed_out");
  assertEquals(
    await bench.command("piles.P1.set_limit", true),
    "refused: A limit is a number of watts, not true",
  );
  assertEquals(
    await bench.command("piles.P1.unlock", false),
    "refused: unlock can only be switched on",
  );
  assertEquals(await bench.command("piles.P9.charge", true), "no_owner");
  assertEquals(await bench.command("piles.P1.power", 1), "no_owner");
});

Deno.test("A command whose pile is lost before it answers is of unknown outcome", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  pile.status();
  await bench.advance(10);
  pile.answer = () => {
    void pile.close();
    return undefined;
  };
  assertEquals(await bench.command("piles.P1.charge", true), "timed_out");
});

Deno.test("A pile with another key, or that nobody knows, is refused, and never told why", async () => {
  await using bench = new Bench();
  const forged = bench.pile("P1");
  const stranger = bench.pile("P2");
  await bench.start();
  bench.piles.splice(1, 1);
  bench.register();
  await bench.order("/piles/reload", {});
  Object.assign(forged, { key: signing("sm2") });
  await forged.connect();
  await stranger.connect();
  for (const pile of [forged, stranger]) {
    assertEquals(pile.events, [{ kind: "refused", result: 1 }]);
  }
  assertEquals(bench.counters.get("auth_failures"), 2);
  assertEquals(bench.logs("pile.refused").map(({ why }) => why), ["signature", "unknown"]);
  assertEquals(bench.value("piles.P1.online"), false);
  await bench.advance(100);
  const audit = bench.writer.batches.flatMap(({ audit }) => audit);
  assertEquals(
    audit.map(({ point, value, outcome, why }) => `${point} ${value} ${outcome} ${why}`),
    [
      "pile_gateway.auth P1 101 refused signature",
      "pile_gateway.auth P2 101 refused unknown",
    ],
  );
  await stranger.close();
});

Deno.test("The number of a pile has to rise, over restarts of the gateway too", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  await pile.close();
  pile.sequence -= 1n;
  await pile.connect();
  assertEquals(pile.events.at(-1), { kind: "refused", result: 4 });
  assertEquals(bench.value("sys.pile_gateway.piles.P1.sequence"), 101n);
});

Deno.test("The newest session of a pile wins", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  const second = bench.pile("P1");
  Object.assign(second, { key: pile.key, sequence: 200n });
  await second.connect();
  assertEquals(bench.logs("pile.closed").map(({ why }) => why), [
    "another session of the pile was opened",
  ]);
  assertEquals(bench.value("piles.P1.online"), true);
  second.status();
  await bench.advance(10);
  assertEquals(await bench.command("piles.P1.charge", true), "done");
  assertEquals([pile.kinds, second.kinds], [[], ["start"]]);
});

Deno.test("A silent pile is away after three heartbeats, its points are stale, its charge goes on for the grace", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  pile.status({ state: 2, closed: true, power: 3000 });
  await bench.advance(29_990);
  assertEquals(bench.value("piles.P1.online"), true);
  await bench.advance(20);
  assertEquals(bench.value("piles.P1.online"), false);
  assertEquals(bench.logs("pile.closed").map(({ why }) => why), ["silence"]);
  assertEquals([bench.value("piles.P1.power"), bench.quality("piles.P1.power")], [
    3000,
    QUALITY.stale,
  ]);
  assertEquals([bench.value("piles.P1.closed"), bench.value("piles.P1.state")], [true, 0]);
  await bench.advance(60_000);
  assertEquals([bench.value("piles.P1.closed"), bench.quality("piles.P1.closed")], [
    false,
    QUALITY.stale,
  ]);
});

Deno.test("Heartbeats are answered with the time, and keep a session open", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  for (let turn = 0; turn < 12; turn += 1) {
    await bench.advance(10_000);
    pile.tell({ kind: "heartbeat", time: bench.clock.epoch() });
  }
  await bench.advance(10);
  assertEquals(pile.heard.filter(({ kind }) => kind === "heartbeat").length, 12);
  assertEquals(bench.value("piles.P1.online"), true);
});

Deno.test("A fault is an event with its time; it is cleared, and confirmed by a person", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  const time = bench.clock.epoch() - 5;
  pile.tell({ kind: "fault", reason: 0x0102, hazard: true, cleared: false, time });
  await bench.advance(10);
  const sample = bench.points.last("piles.P1.fault" as never)!;
  assertEquals([sample.value, sample.at, sample.event], [0x0102, time, true]);
  assertEquals(bench.value("piles.P1.hazard"), true);
  pile.answer = () => ({ result: 1, text: "its fault is not cleared" });
  assertEquals(
    await bench.command("piles.P1.confirm", true),
    "refused: Pile: its fault is not cleared",
  );
  pile.answer = () => ({ result: 0 });
  pile.tell({ kind: "fault", reason: 0x0102, hazard: true, cleared: true, time });
  await bench.advance(10);
  assertEquals(await bench.command("piles.P1.confirm", true), "done");
});

Deno.test("A trade is confirmed when it is durable, and not before", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  bench.writer.failure = new Error("disk is full");
  const trade = {
    kind: "tradeRecord",
    trade: "P1-1",
    begin: bench.clock.epoch() - 60_000,
    end: bench.clock.epoch(),
    energy: 500,
    cost: 250,
    policyVersion: 1,
  } as const;
  pile.tell(trade);
  await bench.advance(2000);
  assertEquals(pile.kinds, []);
  bench.writer.failure = undefined;
  await bench.advance(5000);
  assertEquals(pile.kinds, ["tradeAck"]);
  assert(String(bench.value("piles.P1.trade")).includes('"energy_wh":500'));
  pile.tell(trade);
  await bench.advance(2000);
  assertEquals(pile.kinds, ["tradeAck", "tradeAck"], "one that comes again is confirmed again");
});

Deno.test("The register says what is wrong with it, in which line", async () => {
  await using bench = new Bench();
  bench.pile("P1");
  await bench.start();
  bench.files.set(
    "/piles.csv",
    "pile,signer,public_key,cipher\nP 1,sm2,04,\nP2,rsa,04,\nP3,sm2,04ff,\nP4,sm2,zz,\n",
  );
  const { status, body } = await bench.order("/piles/reload", {});
  assertEquals(status, 422);
  const { error } = body as { error: string };
  for (
    const part of [
      'line 2: pile must have 1 to 64 letters, digits, _ and -, not "P 1"',
      'line 3: signer must be one of sm2, secp256k1, not "rsa"',
      "line 4: public_key is no point of sm2",
      'line 5: public_key must be hexadecimal, not "zz"',
    ]
  ) assert(error.includes(part), error);
});

Deno.test("Latencies and sessions are in /status, and piles on the control port", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  const { pile_gateway: shown } = bench.status as Record<string, Record<string, unknown>>;
  assertEquals([shown!.sessions, shown!.piles], [1, 1]);
  assertEquals((shown!.auth_ms as { count: number }).count, 1);
  const { body } = await bench.order("/piles");
  const [row] = (body as { piles: Record<string, unknown>[] }).piles;
  assertEquals([row!.pile, row!.online, row!.sealed], ["P1", true, true]);
  const refusal = await bench.order("/piles/command", { pile: "P1", output: "fly" });
  assertEquals(refusal.status, 422);
  const done = await bench.order("/piles/command", { pile: "P1", output: "unlock", value: true });
  assertEquals([done.status, done.body], [200, { outcome: "done" }]);
});

Deno.test("Who is not believed again and again does not fill the audit", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  Object.assign(pile, { key: signing("sm2") });
  for (let turn = 0; turn < REFUSALS_PER_MINUTE + 20; turn += 1) await pile.connect();
  assertEquals(bench.counters.get("auth_failures"), REFUSALS_PER_MINUTE + 20);
  await bench.advance(100);
  const audit = bench.writer.batches.flatMap(({ audit }) => audit);
  assertEquals(audit.length, REFUSALS_PER_MINUTE);
});
