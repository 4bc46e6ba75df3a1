/**
 * busbar between a controlled station and a control centre of an independent stack (c104, which
 * stands on lib60870): values one way, commands the other way.
 */
import { assert, assertEquals } from "../../assert.ts";
import { executable } from "../../e2e/harness.ts";
import { Authority } from "../../integration/certificates.ts";
import { needs } from "../../needs.ts";
import { freePorts } from "../../relay/busbar.ts";
import { call, Peer, REACHABLE } from "./peer.ts";

const ROWS = [
  "tag_station,coa,ioa,kind,command,select_first",
  "rtu,1,101,yx,,",
  "rtu,1,102,yx,,",
  ...[103, 104, 105, 106].map((ioa) => `rtu,1,${ioa},yc,,`),
  "rtu,1,301,do,single,",
  "rtu,1,302,do,double,1",
  "rtu,1,303,ao,float,",
];
/** Events without time tags: of an address c104 takes one type only, that of the interrogation. */
const FORWARD = [
  "point,type",
  "rtu.yx.101,M_SP_NA_1",
  "rtu.yx.102,M_DP_NA_1",
  "rtu.yc.103,M_ST_NA_1",
  "rtu.yc.104,M_ME_NA_1",
  "rtu.yc.105,M_ME_NB_1",
  "rtu.yc.106,M_ME_NC_1",
  "rtu.do.301,",
  "rtu.do.302,",
  "rtu.ao.303,",
];

for (const secured of [false, true]) {
  const how = secured ? "over TLS, both ends with certificates" : "over TCP";
  Deno.test({
    name: `Values go from an independent station to an independent centre, commands back, ${how}`,
    ...REACHABLE ? needs("c104") : { ignore: true },
    fn: () => throughFrontEnd(secured),
  });
}

/** What the front end's end of a connection shows. */
function tlsOf(folder: string, role: "server" | "client") {
  return {
    tls: {
      certificate: `${folder}/own-${role}.pem`,
      key: `${folder}/own-${role}.key`,
      authority: `${folder}/own.pem`,
    },
  };
}

async function throughFrontEnd(secured: boolean): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-c104-" });
  if (secured) {
    // Its suites are those of RSA.
    const authority = await Authority.make(folder, "own", "rsa");
    await authority.issue("server", "station", "DNS:station,IP:127.0.0.1");
    await authority.issue("client", "centre", "DNS:centre");
  }
  const certificates = secured ? folder : undefined;
  const port = freePorts(3);
  const config = `${folder}/busbar.yaml`;
  const forward = `${folder}/forward.csv`;
  Deno.writeTextFileSync(forward, FORWARD.join("\n"));
  Deno.writeTextFileSync(`${folder}/points.csv`, ROWS.join("\n"));
  Deno.writeTextFileSync(
    config,
    JSON.stringify({
      control: { listen: `127.0.0.1:${port + 2}` },
      points: { folder: `${folder}/data` },
      modules: {
        // c104 confirms direct commands, and never terminates them.
        "iec104_master": {
          rtu: {
            channels: [`127.0.0.1:${port}`],
            retry: "200ms",
            "command_end": "confirmation",
            ...secured ? tlsOf(folder, "client") : {},
          },
        },
        "iec104_slave": {
          occ: {
            listen: `127.0.0.1:${port + 1}`,
            forward,
            commands: true,
            ...secured ? tlsOf(folder, "server") : {},
          },
        },
      },
    }),
  );
  await call(config, "points", "import", `${folder}/points.csv`);
  await using station = new Peer("station.py", port, certificates);
  await station.until("the station is ready", (said) => said.length > 0);
  const [program, ...args] = executable();
  const busbar = new Deno.Command(program!, {
    args: [...args, "run", "-c", config],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    const values = async () =>
      Object.fromEntries(
        (await call(config, "points", "list", "rtu.", "--json")).trim().split("\n")
          .map((line) => JSON.parse(line)).map((
            { point, value, quality },
          ) => [point, [value, quality]]),
      );
    const end = performance.now() + 30_000;
    let seen: Record<string, unknown> = {};
    while (performance.now() < end && !seen["rtu.yc.106"]) {
      try {
        seen = await values();
      } catch (error) {
        if (!(error instanceof Error)) throw error; // It has not started to listen yet.
      }
      if (!(seen["rtu.yc.106"] as unknown[] | undefined)?.[0]) seen = {};
    }
    const near = (seen["rtu.yc.106"] as number[])[0]!;
    assert(Math.abs(near - 49.98) < 1e-5);
    // Versions of it differ in the last bit of a normalized value.
    const [normalized] = seen["rtu.yc.104"] as number[];
    assert(Math.abs(normalized! - 0.25) <= 1 / 32_768, `${normalized}`);
    const {
      "rtu.yc.104": _____,
      "rtu.yc.106": _,
      "rtu.do.301": __,
      "rtu.do.302": ___,
      "rtu.ao.303": ____,
      ...rest
    } = seen;
    assertEquals(rest, {
      "rtu.yx.101": [true, 0],
      "rtu.yx.102": [2, 0],
      "rtu.yc.103": [-5, 0],
      "rtu.yc.105": [-1234, 0],
    });
    await using centre = new Peer("centre.py", port + 1, certificates);
    const heard = (cause: string) =>
      Object.fromEntries(
        centre.said.filter((one) => one.what === "value" && one.cause === cause)
          .map(({ ioa, value, quality }) => {
            const shown = ioa === 104 ? Number(value).toFixed(3) : value;
            return [`${ioa}`, `${shown} ${quality}`];
          }),
      );
    const good = "Quality set: {}, is_good: True";
    const wanted = {
      "101": `True ${good}`,
      "102": `Double.ON ${good}`,
      "103": `-5 ${good}`,
      "104": `0.250 ${good}`,
      "105": `-1234 ${good}`,
      "106": `49.97999954223633 ${good}`,
    };
    // Its own interrogation: types without time tags, of every point.
    const interrogated = () => heard("INTERROGATED_BY_STATION");
    await centre.until("it has interrogated", () => Object.keys(interrogated()).length === 6);
    assertEquals(interrogated(), wanted);
    await station.tell("tell");
    await centre.until("the events came", () => Object.keys(heard("SPONTANEOUS")).length === 6);
    assertEquals(heard("SPONTANEOUS"), wanted);
    // Commands: direct, select before operate on both sides, a set point.
    const commanded = (ioa: number) =>
      centre.said.filter((one) => one.what === "commanded" && one.ioa === ioa)
        .map(({ success }) => success);
    const give = async (line: string, ioa: number) => {
      const before = commanded(ioa).length;
      await centre.tell(line);
      await centre.until(`the answer for ${ioa}`, () => commanded(ioa).length > before);
      return commanded(ioa).at(-1);
    };
    const audited = async (ioa: number) =>
      (await call(config, "points", "audit", "--json")).split("\n").some((row) =>
        row.includes(`.${ioa}"`) && row.includes('"done"')
      );
    const done: (readonly [string, number])[] = [
      ["301 C_SC_NA_1 ON DIRECT", 301],
      ["302 C_DC_NA_1 ON SELECT_AND_EXECUTE", 302],
      ["303 C_SE_NC_1 12.5 DIRECT", 303],
    ];
    // Over TLS it reads one frame a second and would wait too long for itself, so it is not asked.
    for (const [line, ioa] of secured ? [] : done) {
      // A selection is confirmed at once, now and then before c104 waits for that: it gives up after
      // 15 s without having executed anything, and is asked once more. Others take their way.
      const selects = line.includes("SELECT");
      const done = await give(line, ioa) || (selects && await give(line, ioa));
      assertEquals(done, true, line);
      assert(await audited(ioa), line);
    }
    if (secured) {
      for (const words of ["do.301 on", "do.302 on", "ao.303 12.5"]) {
        await call(config, "points", "set", ...`rtu.${words}`.split(" "));
      }
    }
    const executed = station.said.filter(({ what }) => what === "command").map((
      { ioa, value, select },
    ) => `${ioa} ${value} ${select}`);
    assertEquals([...new Set(executed.filter((one) => one.endsWith("false")))], [
      "301 True false",
      "302 Double.ON false",
      "303 12.5 false",
    ]);
    assert(!centre.said.some(({ what }) => what === "unexpected"), JSON.stringify(centre.said));
  } finally {
    busbar.kill("SIGTERM");
    assertEquals((await busbar.status).code, 0);
    Deno.removeSync(folder, { recursive: true });
  }
}
