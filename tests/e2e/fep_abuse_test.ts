/**
 * Clients that break every rule, at the front end of the packed executable, while a control centre
 * beside them goes on as if nothing was.
 */
import { SystemClock } from "../../src/platform/clock.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import { asdu, asduOctets, TYPE, writeI } from "../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { fromHex, toHex } from "../hex.ts";
import { freePorts } from "../relay/busbar.ts";
import { Scada } from "../sim/scada.ts";
import { executable } from "./harness.ts";

const START_ACT = "68 04 07 00 00 00";
const START_CON = "68 04 0b 00 00 00";
const TEST_ACT = "68 04 43 00 00 00";
const TEST_CON = "68 04 83 00 00 00";
const ATTEMPTS = 1000;
const STORM = 500;

function iFrame(sendNumber: number, receiveNumber: number, body: Uint8Array): string {
  const octets = new Uint8Array(6 + body.length);
  writeI(octets, 0, sendNumber, receiveNumber, body.length);
  octets.set(body, 6);
  return toHex(octets);
}

const INTERROGATION = asduOctets(asdu({
  type: TYPE.C_IC_NA_1,
  cause: 6,
  commonAddress: 9,
  objects: [{ kind: "interrogation", address: 0, qualifier: 20 }],
}));

/** What is said, and whether the connection is ended for it. */
const RULES: readonly (readonly [what: string, octets: string, closed: boolean])[] = [
  ["an I frame before STARTDT", iFrame(0, 0, INTERROGATION), true],
  ["an S frame before STARTDT", "68 04 01 00 00 00", true],
  ["length 0", "68 00 00 00 00 00", true],
  ["length 3", "68 03 43 00 00", true],
  ["length 254", "68 fe 00 00 00 00", true],
  ["a wrong start", "69 04 43 00 00 00", true],
  ["two functions in a U frame", "68 04 47 00 00 00", true],
  ["a U frame of 5 octets", "68 05 43 00 00 00 00", true],
  ["a wrong N(S)", `${START_ACT} ${iFrame(5, 0, INTERROGATION)}`, true],
  ["a wrong N(R)", `${START_ACT} ${iFrame(0, 9, INTERROGATION)}`, true],
  ["an ASDU cut", `${START_ACT} ${iFrame(0, 0, INTERROGATION.slice(0, 7))}`, false],
  [
    "an ASDU too long",
    `${START_ACT} ${iFrame(0, 0, Uint8Array.from([...INTERROGATION, 1]))}`,
    false,
  ],
  [
    "too many objects",
    `${START_ACT} ${iFrame(0, 0, Uint8Array.from([1, 127, 3, 0, 1, 0, 1]))}`,
    false,
  ],
  [
    "an unknown type",
    `${START_ACT} ${iFrame(0, 0, Uint8Array.from([200, 1, 6, 0, 1, 0, 1]))}`,
    false,
  ],
  ["an unknown CA", `${START_ACT} ${iFrame(0, 0, INTERROGATION)}`, false],
];

class Abuser implements Disposable {
  private constructor(readonly conn: Deno.TcpConn) {}

  static async dial(port: number): Promise<Abuser> {
    return new Abuser(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async say(hex: string): Promise<void> {
    const octets = fromHex(hex);
    for (let at = 0; at < octets.length;) at += await this.conn.write(octets.subarray(at));
  }

  /** What comes until there are `most` octets, or undefined at the end of the connection. */
  async hear(most: number): Promise<string | undefined> {
    const octets = new Uint8Array(most);
    let size = 0;
    try {
      while (size < most) {
        const count = await this.conn.read(octets.subarray(size));
        if (count === null) return undefined;
        size += count;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      return undefined;
    }
    return toHex(octets);
  }

  /** The next frame, whole. */
  async frame(): Promise<string | undefined> {
    const head = await this.hear(2);
    if (head === undefined) return undefined;
    const rest = await this.hear(parseInt(head.slice(3), 16));
    return rest === undefined ? undefined : `${head} ${rest}`;
  }

  [Symbol.dispose](): void {
    this.conn.close();
  }
}

Deno.test("Whoever breaks the rules is ended or refused as the standard says; others never notice", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-fep-" });
  const control = freePorts(2);
  const listen = control + 1;
  const config = `${folder}/busbar.yaml`;
  const slave = { listen: `127.0.0.1:${listen}`, mode: "each", "max_connections": 32 };
  Deno.writeTextFileSync(
    config,
    JSON.stringify({
      control: { listen: `127.0.0.1:${control}` },
      points: { folder: `${folder}/data` },
      modules: { "iec104_slave": { occ: slave } },
    }),
  );
  Deno.writeTextFileSync(`${folder}/points.csv`, "tag_station,coa,ioa,kind\ngz_01,1,1,yc\n");
  const [program, ...args] = executable();
  const imported = await new Deno.Command(program!, {
    args: [...args, "points", "import", `${folder}/points.csv`, "-c", config],
  }).output();
  assertEquals(imported.code, 0);
  const busbar = new Deno.Command(program!, {
    args: [...args, "run", "-c", config],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const until = async (what: string, fits: () => Promise<boolean>) => {
    const end = performance.now() + 30_000;
    while (!(await fits())) {
      if (performance.now() > end) throw new Error(`Not in time: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  };
  const service = async () => {
    const answer = await fetch(`http://127.0.0.1:${control}/status`);
    return (await answer.json()).services["iec104_slave.occ"];
  };
  try {
    await until("it is up", async () => {
      try {
        return (await service()).state === "up";
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // Nobody listens yet.
        return false;
      }
    });
    const scada = (await Scada.dial(SYSTEM_NET, new SystemClock(), listen, { w: 1 })).start();
    await until("the centre has started", () => Promise.resolve(scada.link.state === "started"));
    let told = 0;
    /** The centre has the next event. */
    const goesOn = async (what: string) => {
      told += 1;
      const body = JSON.stringify({ point: "gz_01.yc.1", value: told, substitute: true });
      const headers = { "content-type": "application/json" };
      const url = `http://127.0.0.1:${control}/points/set`;
      const answer = await fetch(url, { method: "POST", body, headers });
      assertEquals(answer.status, 200, await answer.text());
      await until(what, () => Promise.resolve(scada.values().length >= told));
      assertEquals(scada.values().at(-1), `36 1 1 ${told}`, what);
    };
    await goesOn("at first");
    for (const [what, octets, closed] of RULES) {
      using abuser = await Abuser.dial(listen);
      if (octets.startsWith(START_ACT)) {
        await abuser.say(START_ACT);
        assertEquals(await abuser.hear(6), START_CON, what);
      }
      await abuser.say(octets.replace(START_ACT, ""));
      if (closed) assertEquals(await abuser.hear(1), undefined, what);
      else {
        await abuser.say(TEST_ACT);
        const heard = await abuser.hear(6);
        assert(heard !== undefined, what);
      }
    }
    await goesOn("after every rule was broken");
    {
      using abuser = await Abuser.dial(listen);
      await abuser.say(Array(STORM).fill(START_ACT).join(" "));
      await abuser.say(TEST_ACT);
      // One confirmation serves all that come before it is given; the test is answered behind them.
      const frames: (string | undefined)[] = [];
      do frames.push(await abuser.frame()); while (frames.at(-1) && frames.at(-1) !== TEST_CON);
      assertEquals([frames.includes(START_CON), frames.at(-1)], [true, TEST_CON]);
    }
    await goesOn("after a storm of STARTDT");
    // Half-open ones: a first octet, and never a second.
    const halves = await Promise.all(Array.from({ length: 10 }, () => Abuser.dial(listen)));
    for (const half of halves) await half.say("68");
    const before = (await service()).counters;
    await Promise.all(Array.from({ length: ATTEMPTS }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, index));
      using abuser = await Abuser.dial(listen);
      if (index % 3 === 0) await abuser.say("00");
    }));
    await goesOn("after a thousand connections in a second");
    await until("each of them was counted", async () => {
      const { connections, refused_connections: refused } = (await service()).counters;
      const old = before.connections + before.refused_connections;
      return connections + refused - old >= ATTEMPTS;
    });
    for (const half of halves) {
      assertEquals(await half.hear(1), undefined, "cut off after five seconds");
      half[Symbol.dispose]();
    }
    await goesOn("after half-open connections");
    const { state, restarts, counters } = await service();
    assertEquals([state, restarts], ["up", 0]);
    assert(counters.links_closed >= 10 && counters.malformed === 3, JSON.stringify(counters));
    assertEquals([scada.end, counters.unknown_requests], [undefined, 2]);
    scada.drop();
  } finally {
    busbar.kill("SIGTERM");
    assertEquals((await busbar.status).code, 0);
    Deno.removeSync(folder, { recursive: true });
  }
});
