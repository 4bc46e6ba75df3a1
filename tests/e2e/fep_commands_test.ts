/** The front end at the command line of the packed executable, with a simulated RTU and centre. */
import { SystemClock } from "../../src/platform/clock.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import { asdu, CAUSE, TYPE } from "../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { freePorts } from "../relay/busbar.ts";
import { Outstation, single } from "../sim/outstation.ts";
import { Scada } from "../sim/scada.ts";
import { caller, until } from "./call.ts";
import { executable } from "./harness.ts";

Deno.test("RTUs, channels and groups are shown; an operator interrogates and commands", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-fep-" });
  const port = freePorts(4);
  const config = `${folder}/busbar.yaml`;
  Deno.writeTextFileSync(
    config,
    JSON.stringify({
      control: { listen: `127.0.0.1:${port}` },
      points: { folder: `${folder}/data` },
      modules: {
        "iec104_master": {
          "gz_01": { channels: [`127.0.0.1:${port + 1}`, `127.0.0.1:${port + 3}`], retry: "200ms" },
        },
        "iec104_slave": { occ: { listen: `127.0.0.1:${port + 2}` } },
      },
    }),
  );
  Deno.writeTextFileSync(
    `${folder}/points.csv`,
    "tag_station,coa,ioa,kind\ngz_01,1,101,yx\ngz_01,1,301,do\n",
  );
  const [program, ...args] = executable();
  const call = caller("-c", config);
  assertEquals((await call("points", "import", `${folder}/points.csv`)).code, 0);
  const clock = new SystemClock();
  const image = () => [asdu({ ...single(101, true), cause: CAUSE.interrogated })];
  await using rtu = await Outstation.open({ net: SYSTEM_NET, clock, port: port + 1, image });
  const busbar = new Deno.Command(program!, {
    args: [...args, "run", "-c", config],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    await until(
      "the RTU was interrogated",
      async () => (await call("fep", "rtus")).out.includes("done"),
    );
    const [rtus] = (await call("fep", "rtus", "--json")).out.split("\n").map((line) =>
      JSON.parse(line)
    );
    assertEquals([rtus.rtu, rtus.state, rtus.online, rtus.channels, rtus.samples], [
      "gz_01",
      "up",
      "yes",
      "up untried",
      1,
    ]);
    const channels = (await call("fep", "channels", "--json")).out.split("\n")
      .map((line) => JSON.parse(line)).map(({ channel, link, state }) =>
        `${channel} ${link} ${state}`
      );
    assertEquals(channels.toSorted(), ["1 1 up", "1 all up", "2 1 untried", "2 all untried"]);
    assertEquals(await call("fep", "interrogate", "gz_01"), { code: 0, out: "Done", err: "" });
    assertEquals((await call("fep", "interrogate", "gz_01", "--test")).out, "Done");
    assertEquals((await call("fep", "interrogate", "gz_02")).err, "There is no RTU gz_02");
    assertEquals((await call("points", "set", "gz_01.do.301", "on")).out, "Done");
    const types = rtu.heard.map(({ type }) => type);
    assertEquals(types, [TYPE.C_IC_NA_1, TYPE.C_IC_NA_1, TYPE.C_TS_TA_1, TYPE.C_SC_NA_1]);
    const scada = (await Scada.dial(SYSTEM_NET, clock, port + 2, { w: 1 })).start();
    await until(
      "the group is there",
      async () => (await call("fep", "groups", "--json")).out.includes('"started":"yes"'),
    );
    rtu.tell(single(101, false));
    await until("the event came", () => Promise.resolve(scada.values().length > 1));
    // What the interrogation had found was a change too, before the control centre connected.
    assertEquals(scada.values(), ["30 1 101 true", "30 1 101 false"]);
    scada.drop();
  } finally {
    busbar.kill("SIGTERM");
    const { code } = await busbar.status;
    assert(code === 0);
    Deno.removeSync(folder, { recursive: true });
  }
});
