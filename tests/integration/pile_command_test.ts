/** `busbar pile …` against a real control port: of a gateway made up here, and of a real one. */
import { runCli } from "../../src/app/cli.ts";
import { pileCommands } from "../../src/app/commands/pile.ts";
import { pointImportCommand } from "../../src/app/commands/points_table.ts";
import { pointAuditCommand } from "../../src/app/commands/points.ts";
import { LogOutputs } from "../../src/app/log_outputs.ts";
import { MODULES } from "../../src/app/modules.ts";
import { startSystemNode } from "../../src/app/system_node.ts";
import { Sm2PrivateKey } from "../../src/crypto/sm2.ts";
import { readConfig } from "../../src/kernel/config.ts";
import { Registry } from "../../src/kernel/control_registry.ts";
import { LogHub } from "../../src/kernel/log.ts";
import type { Json, JsonObject } from "../../src/kernel/registry.ts";
import { SystemClock } from "../../src/platform/clock.ts";
import { readCsv } from "../../src/points/csv.ts";
import { INPUTS, outputOf, OUTPUTS, pointOf } from "../../src/south/pile_gateway/mapping.ts";
import { assert, assertEquals } from "../assert.ts";
import { openControl } from "./control_port.ts";
import { policyFields } from "../sim/piles.ts";
import { freePorts } from "../relay/busbar.ts";
import { createScreen } from "../unit/app/terminals.ts";

const TOKEN = "0123456789abcdef";
const COMMANDS = [...pileCommands, pointImportCommand, pointAuditCommand];
const NO_GATEWAY = "This busbar has no gateway of piles that runs (modules: pile_gateway)";

function pile(name: string, more: JsonObject = {}): JsonObject {
  return {
    pile: name,
    online: true,
    state: "standby",
    closed: false,
    power: 0,
    energy: 1200,
    fault: 0,
    hazard: false,
    policy: 4,
    version: "1.4.0",
    heard: "2026-11-21T10:00:00.000Z",
    ...more,
  };
}

/** A gateway that says what it is told to say. */
class FakeGateway {
  readonly given: Json[] = [];
  piles: JsonObject[] = [
    pile("pile-0001", { state: "charging", closed: true, power: 6900 }),
    pile("pile-0002", { state: "fault", fault: 12, hazard: true }),
    pile("other", { state: "offline", policy: 0, version: "", heard: null }),
  ];
  policy: Json = { id: "spring", version: 4 };
  latency: Json = { count: 9, p50: 2.1, p99: 5.25 };
  answers: { status: number; body: Json }[] = [];

  route(registry: Registry): void {
    registry.route("GET", "/piles", "read", () => ({
      status: 200,
      body: {
        station: "piles",
        sessions: 2,
        policy: this.policy,
        "auth_ms": this.latency,
        piles: this.piles,
      },
    }));
    for (const path of ["command", "policy", "reload"]) {
      registry.route("POST", `/piles/${path}`, "change", ({ body }) => {
        this.given.push(body ?? null);
        return this.answers.shift() ?? { status: 200, body: { outcome: "done" } };
      });
    }
  }
}

async function serve(gateway: FakeGateway | undefined, token?: string) {
  const registry = new Registry();
  gateway?.route(registry);
  const { port, at } = await openControl(registry, token);
  return { port, at };
}

async function call(
  words: readonly string[],
  more: Parameters<typeof createScreen>[1] = {},
  signal = new AbortController().signal,
) {
  const { terminal, out, err } = createScreen({}, more);
  const code = await runCli(words, COMMANDS, terminal, signal);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

Deno.test("pile list is a table below one line of what goes for all", async () => {
  const gateway = new FakeGateway();
  const { port, at } = await serve(gateway);
  await using _ = port;
  const list = (...words: string[]) =>
    call(["pile", "list", ...words, "--control", at], { columns: 120 });
  const { code, out } = await list();
  assertEquals(code, 0);
  assertEquals(out.split("\n"), [
    "2 sessions, policy spring version 4, authentication p50 2.1 ms, p99 5.25 ms",
    "PILE       STATE     RELAY    POWER   ENERGY  FAULT  POLICY  VERSION  HEARD",
    "pile-0001  charging  closed  6900 W  1200 Wh              4  1.4.0    " +
    "2026-11-21T10:00:00.000Z",
    "pile-0002  fault     open       0 W  1200 Wh    12!       4  1.4.0    " +
    "2026-11-21T10:00:00.000Z",
    "other      offline   open       0 W  1200 Wh                          never",
  ]);
  const names = async (...words: string[]) =>
    (await list("--json", ...words)).out.split("\n").filter((line) => line !== "")
      .map((line) => JSON.parse(line).pile);
  assertEquals(await names("pile-"), ["pile-0001", "pile-0002"]);
  assertEquals(await names("--state", "fault"), ["pile-0002"]);
  assertEquals(await names("--state", "upgrading"), []);
  assertEquals((await list("nobody")).out.split("\n")[1], "There is no such pile");
  gateway.policy = null;
  gateway.latency = { count: 0, p50: 0, p99: 0 };
  assertEquals((await list()).out.split("\n")[0], "2 sessions, no policy, no authentication yet");
  const odd = await list("--state", "tired");
  assertEquals(odd.code, 2);
});

Deno.test("pile watch tells each change once, and a pile that has left the register", async () => {
  const gateway = new FakeGateway();
  const served = await serve(gateway);
  await using _ = served.port;
  const stop = new AbortController();
  const seen: string[] = [];
  const steps = [
    () =>
      gateway.piles = [pile("pile-0001", { state: "fault", fault: 3 }), ...gateway.piles.slice(1)],
    () => gateway.piles = gateway.piles.map((one) => ({ ...one, power: 1 })).slice(0, 1),
    () => stop.abort(),
  ];
  const out = (line: string) => {
    seen.push(line.replace(/^\S+Z {2}/, ""));
    if ([2, 3, 4].includes(seen.length)) steps.shift()!();
  };
  const words = ["pile", "watch", "pile-", "--every", "100ms", "--control", served.at];
  assertEquals((await call(words, { out }, stop.signal)).code, 0);
  assertEquals(seen, [
    "pile-0001  charging, relay closed",
    "pile-0002  fault, relay open, fault 12!",
    "pile-0001  fault, relay open, fault 3",
    "pile-0002  is not in the register any more",
  ]);
});

Deno.test("pile watch --json has a line for each, and goes on with one line when nothing answers", async () => {
  const served = await serve(new FakeGateway());
  const stop = new AbortController();
  const lines: JsonObject[] = [];
  const errors: string[] = [];
  const out = (line: string) => {
    lines.push(JSON.parse(line));
    if (lines.length === 3) void served.port[Symbol.asyncDispose]();
  };
  const err = (line: string) => {
    errors.push(line);
    setTimeout(() => stop.abort(), 350);
  };
  const words = ["pile", "watch", "--json", "--every=100ms", "--control", served.at];
  assertEquals((await call(words, { out, err }, stop.signal)).code, 0);
  assertEquals(lines.map(({ at: _, ...rest }) => rest)[1], {
    pile: "pile-0002",
    state: "fault",
    closed: false,
    fault: 12,
    hazard: true,
  });
  assertEquals(errors.length, 1);
});

Deno.test("Commands of piles go to their outputs, and the limit before the start", async () => {
  const gateway = new FakeGateway();
  const { port, at } = await serve(gateway);
  await using _ = port;
  const cases: readonly (readonly [readonly string[], readonly (readonly [string, Json])[]])[] = [
    [["start", "a"], [["charge", true]]],
    [["start", "a", "--limit", "3500"], [["set_limit", 3500], ["charge", true]]],
    [["stop", "a"], [["charge", false]]],
    [["limit", "a", "0"], [["set_limit", 0]]],
    [["unlock", "a"], [["unlock", true]]],
    [["confirm", "a"], [["confirm", true]]],
    [["restart", "a"], [["restart", true]]],
    [["upgrade", "a"], [["upgrade", true]]],
  ];
  for (const [words, expected] of cases) {
    gateway.given.length = 0;
    const done = await call(["pile", ...words, "--control", at]);
    assertEquals(done, { code: 0, out: "Done", err: "" });
    const given = expected.map(([output, value]) => ({ pile: "a", output, value }));
    assertEquals(gateway.given, given as Json[]);
  }
});

Deno.test("A command that was not done ends with 1 and its reason in one line", async () => {
  const gateway = new FakeGateway();
  const { port, at } = await serve(gateway);
  await using _ = port;
  const refused = { status: 409, body: { outcome: "refused", why: "Pile: it has a fault" } };
  const late = { status: 409, body: { outcome: "timed_out" } };
  const strange = { status: 404, body: { error: "There is no pile a" } };
  for (
    const [answer, err] of [
      [refused, "Refused: Pile: it has a fault"],
      [late, "Nobody answered in time; it may still be executed"],
      [strange, "There is no pile a"],
      [{ status: 500, body: {} }, "The control port answered 500"],
    ] as const
  ) {
    gateway.answers = [answer];
    gateway.given.length = 0;
    const start = await call(["pile", "start", "a", "--limit=1", "--control", at]);
    assertEquals(start, { code: 1, out: "", err });
    assertEquals(gateway.given.length, 1, "it does not start after a limit that was refused");
  }
  for (const watts of ["-1", "x", "1.5", "4294967296"]) {
    const { code, err } = await call(["pile", "limit", "a", watts, "--control", at]);
    assertEquals(code, 2);
    assert(err.includes(`not "${watts}"`), err);
  }
});

Deno.test("Without a gateway every command says so in one line that names the module", async () => {
  const { port, at } = await serve(undefined);
  await using _ = port;
  const file = await Deno.makeTempFile();
  try {
    for (
      const words of [
        ...["list", "watch", "policy", "reload", "points"].map((word) => [word]),
        ["start", "a"],
        ["policy", file],
      ]
    ) {
      const { code, out, err } = await call(["pile", ...words, "--control", at]);
      assertEquals([code, out], [1, ""], words.join(" "));
      const plain = err.replace("busbar: ", "").replace(" [pile.gateway]", "");
      assertEquals(plain, NO_GATEWAY, words.join(" "));
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("A token that is missing is told with where it is taken from", async () => {
  const { port, at } = await serve(new FakeGateway(), TOKEN);
  await using _ = port;
  for (const words of [["list"], ["start", "a"], ["reload"]]) {
    const { code, err } = await call(["pile", ...words, "--control", at]);
    assertEquals([code, err.split("\n").length], [1, 1]);
    assert(err.includes("BUSBAR_TOKEN"), err);
  }
});

const NAMES = ["pile-0002", "pile-0001", "Zapf_3"];
const CSV_HEAD = "pile,signer,public_key,cipher\n";

function register(names: readonly string[]): string {
  const row = (name: string) => `${name},sm2,${Sm2PrivateKey.make().publicKey.octets().toHex()},\n`;
  return CSV_HEAD + names.map(row).join("");
}

Deno.test("The point table of a register is imported without a fault, and has the points' names", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar-pile-" });
  try {
    await Deno.writeTextFile(`${folder}/piles.csv`, register(NAMES));
    const table = await call([
      ...["pile", "points", "--register", `${folder}/piles.csv`, "--station", "site"],
      ...["--common-address", "7", "--first", "0x4001"],
    ]);
    assertEquals([table.code, table.err], [0, ""]);
    const [, ...rows] = readCsv(table.out).records.map(({ fields }) => fields);
    assertEquals(rows.length, NAMES.length * (INPUTS.length + OUTPUTS.length));
    const points = NAMES.flatMap((name) =>
      [...INPUTS.map(([input]) => input), ...OUTPUTS].map((one) => pointOf("site", name, one))
    );
    assertEquals(rows.map(([, , , point]) => point!), points as string[]);
    const at = (point: string) => rows.find(([, , , name]) => name === point)!;
    assertEquals(at("site.pile-0001.power").slice(0, 6), [
      ...["site", "7", String(0x4001 + 16 + 3), "site.pile-0001.power", "yc", "W"],
    ]);
    assertEquals([at("site.Zapf_3.charge")[2], at("site.Zapf_3.upgrade")[2]], [
      String(0x4001 + 42),
      String(0x4001 + 47),
    ]);
    for (const row of rows) {
      const output = outputOf("site", row[3]!);
      const form = output === undefined ? "" : output.output === "set_limit" ? "float" : "single";
      assertEquals([row[7], ["do", "ao"].includes(row[4]!)], [form, output !== undefined]);
    }
    await Deno.writeTextFile(`${folder}/points.csv`, table.out);
    const imported = await call(["points", "import", `${folder}/points.csv`, "--folder", folder]);
    assertEquals(imported, {
      code: 0,
      out: `${rows.length} added, 0 changed, 0 removed, 0 as before`,
      err: "",
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("A point table for which there is no register, or no room, is refused", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, register(["a", "b"]));
    const cases: readonly (readonly [readonly string[], string])[] = [
      [["--register", file, "--first", "16777200"], "--first leaves no room"],
      [["--station", "x"], "--station goes with --register"],
      [["--common-address", "65535"], "--common-address must be a whole number from 1 to 65534"],
    ];
    for (const [words, part] of cases) {
      const { code, out, err } = await call(["pile", "points", ...words]);
      assertEquals([code, out], [2, ""]);
      assert(err.includes(part), err);
    }
    await Deno.writeTextFile(file, `${CSV_HEAD}a,sm2,00,\n`);
    const { code, err } = await call(["pile", "points", "--register", file]);
    assertEquals(code, 2);
    assert(err.includes("line 2: public_key is no point of sm2"), err);
  } finally {
    await Deno.remove(file);
  }
});

/** A busbar with a gateway of piles, in this process. */
async function realGateway(folder: string, policyKey: string) {
  const control = freePorts(2);
  const text = JSON.stringify({
    control: { listen: `127.0.0.1:${control}` },
    points: { folder: `${folder}/data` },
    modules: {
      "pile_gateway": {
        listen: `127.0.0.1:${control + 1}`,
        piles: `${folder}/piles.csv`,
        policy: `${folder}/policy.json`,
        "policy_key": policyKey,
      },
    },
  });
  const file = `${folder}/busbar.yaml`;
  const { config, problems } = readConfig({
    ...{ file, text, modules: MODULES, env: () => undefined, flags: {} },
  });
  assert(config, JSON.stringify(problems));
  const clock = new SystemClock();
  const log = new LogHub(clock);
  const outputs = new LogOutputs(createScreen().terminal, () => clock.epoch());
  const read = () => Promise.resolve({ config, problems: [] });
  return {
    system: await startSystemNode({ config, log, outputs, read, clock }),
    at: `127.0.0.1:${control}`,
  };
}

/** Signs a policy with the command for it. */
async function signed(folder: string, version: number): Promise<string> {
  const plain = `${folder}/plain.json`;
  await Deno.writeTextFile(plain, JSON.stringify(policyFields(version, { id: "spring" })));
  const { out } = await call(["pile", "sign-policy", plain, "--key", `${folder}/policy.key`]);
  await Deno.writeTextFile(`${folder}/signed.json`, out);
  return `${folder}/signed.json`;
}

Deno.test("A real gateway answers all of them: policy, register, points, commands in the audit", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar-pile-" });
  try {
    await Deno.writeTextFile(`${folder}/piles.csv`, register(NAMES));
    const { out: policyKey } = await call(["pile", "key", `${folder}/policy.key`]);
    const { system, at } = await realGateway(folder, policyKey);
    await using _ = system;
    const ask = (...words: string[]) => call(["pile", ...words, "--control", at]);
    await waitFor(async () => (await ask("list", "--json")).code === 0);
    assertEquals((await ask("policy")).out, "There is no policy");
    assertEquals(
      (await ask("policy", await signed(folder, 4))).out.slice(0, 19),
      "Version 4 was taken",
    );
    assertEquals((await ask("policy")).out, "spring version 4; 0 of 3 piles have it");
    const old = await ask("policy", await signed(folder, 3));
    assertEquals([old.code, old.err], [1, "version is 3; it has to be above 4"]);
    assertEquals(await ask("start", "pile-0001"), {
      code: 1,
      out: "",
      err: "Refused: Pile: it cannot be reached",
    });
    assertEquals((await ask("stop", "nobody")).err, "There is no pile nobody");
    const audit = await call(["points", "audit", "--json", "--control", at]);
    assertEquals(audit.out.includes("piles.pile-0001.charge"), true);
    await Deno.writeTextFile(`${folder}/piles.csv`, register([...NAMES, "new"]));
    assertEquals((await ask("reload")).out, "Piles in the register: 4");
    await Deno.writeTextFile(`${folder}/piles.csv`, "pile\n");
    const bad = await ask("reload");
    assertEquals(bad.code, 1);
    assert(bad.err.includes("columns are missing: signer, public_key"), bad.err);
    const states = (await ask("list", "--state=offline", "--json")).out.split("\n");
    assertEquals(states.map((line) => JSON.parse(line).pile), [...NAMES, "new"]);
    const table = (await ask("points")).out;
    assertEquals(readCsv(table).records.length, 1 + 4 * (INPUTS.length + OUTPUTS.length));
    assert(table.includes("piles,1,1,piles.pile-0002.online,yx"), table.slice(0, 200));
    await system.node.stop();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function waitFor(fits: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!await fits()) {
    if (performance.now() > end) throw new Error("Not in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
