/** The simulated peers of the packed executable, with its front end between them. */
import { assert, assertEquals } from "../assert.ts";
import { freePorts } from "../relay/busbar.ts";
import { executable } from "./harness.ts";

function spawn(...words: string[]): Deno.ChildProcess {
  const [program, ...args] = executable();
  return new Deno.Command(program!, {
    args: [...args, ...words],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
}

async function ended(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets).trim();
  return { code, out: text(stdout), err: text(stderr) };
}

const PROFILE = {
  points: [
    { ioa: 1, count: 20, type: "M_IT_TB_1", change: "numbers", every: "20ms" },
    { ioa: 101, type: "M_DP_TB_1", change: "toggle", every: "50ms" },
  ],
  bursts: { every: "500ms", count: 300 },
  "drop_every": "1s",
};

Deno.test("A simulated RTU, the front end, a simulated control centre: all that was made has come", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-sim-" });
  const port = freePorts(3);
  const config = `${folder}/busbar.yaml`;
  const rows = Array.from({ length: 20 }, (_, index) => `rtu,1,${index + 1},dd`);
  Deno.writeTextFileSync(`${folder}/profile.yaml`, JSON.stringify(PROFILE));
  Deno.writeTextFileSync(
    `${folder}/points.csv`,
    `tag_station,coa,ioa,kind\n${rows.join("\n")}\nrtu,1,101,yx\n`,
  );
  Deno.writeTextFileSync(
    config,
    JSON.stringify({
      control: { listen: `127.0.0.1:${port}` },
      points: { folder: `${folder}/data` },
      modules: {
        "iec104_master": { rtu: { channels: [`127.0.0.1:${port + 1}`], retry: "200ms" } },
        "iec104_slave": { occ: { listen: `127.0.0.1:${port + 2}` } },
      },
    }),
  );
  const imported = await ended(spawn("points", "import", `${folder}/points.csv`, "-c", config));
  assertEquals(imported.code, 0, imported.err);
  const busbar = spawn("run", "-c", config);
  const scada = spawn("sim", "scada", `127.0.0.1:${port + 2}`, "-d", "9s");
  const rtu = spawn(
    ...["sim", "rtu", "--listen", `127.0.0.1:${port + 1}`],
    ...["--profile", `${folder}/profile.yaml`, "-d", "6s"],
  );
  const [made, found] = await Promise.all([ended(rtu), ended(scada)]);
  busbar.kill("SIGTERM");
  assertEquals((await ended(busbar)).code, 0);
  const sent = JSON.parse(made.out);
  const got = JSON.parse(found.out);
  assertEquals([made.code, found.code], [0, 0], found.out);
  assert(sent.connections >= 3 && sent.confirmed > 3000 && sent.dropped === 0, made.out);
  assertEquals([got.missing, got.disordered, got.points], [0, 0, 21], found.out);
  assert(got.events >= sent.confirmed, `${made.out} ${found.out}`);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("A profile that cannot be taken is told with all that is wrong", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-sim-" });
  const profile = `${folder}/profile.yaml`;
  Deno.writeTextFileSync(profile, "points:\n  - { ioa: -1, type: M_XX, every: 5 }\n");
  const { code, err } = await ended(spawn("sim", "rtu", "--profile", profile));
  assertEquals(code, 2);
  for (const word of ["points.0.ioa", "points.0.type", "points.0.every"]) {
    assert(err.includes(word), err);
  }
  Deno.removeSync(folder, { recursive: true });
});
