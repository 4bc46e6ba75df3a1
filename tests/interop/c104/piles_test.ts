/** An independent control centre sees and commands a simulated charging pile through busbar. */
import { assert, assertEquals } from "../../assert.ts";
import { executable } from "../../e2e/harness.ts";
import { needs } from "../../needs.ts";
import { freePorts } from "../../relay/busbar.ts";
import { call, Peer, REACHABLE } from "./peer.ts";

/** Addresses of the first pile's block, as `busbar pile points` gives them. */
const STATE = 2;
const CLOSED = 3;
const CHARGE = 11;

Deno.test({
  name: "An independent control centre sees a charging pile, starts and stops it",
  ...REACHABLE ? needs("c104") : { ignore: true },
  fn: async () => {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-c104-" });
    const port = freePorts(3);
    const config = `${folder}/busbar.yaml`;
    const register = `${folder}/piles.csv`;
    Deno.writeTextFileSync(
      config,
      JSON.stringify({
        control: { listen: `127.0.0.1:${port}` },
        points: { folder: `${folder}/data` },
        modules: {
          "pile_gateway": { listen: `127.0.0.1:${port + 1}`, piles: register },
          "iec104_slave": { occ: { listen: `127.0.0.1:${port + 2}`, commands: true } },
        },
      }),
    );
    const [program, ...args] = executable();
    const sim = ["sim", "piles", "--connect", `127.0.0.1:${port + 1}`, "--count", "1"];
    const spawn = (...words: string[]) =>
      new Deno.Command(program!, { args: [...args, ...words], stdout: "null", stderr: "null" })
        .spawn();
    const made = await new Deno.Command(program!, {
      args: [...args, ...sim, "--seed", "5", "--register", register],
    }).output();
    assertEquals(made.code, 0);
    const table = `${folder}/points.csv`;
    Deno.writeTextFileSync(table, await call(config, "pile", "points", "--register", register));
    await call(config, "points", "import", table);
    const busbar = spawn("run", "-c", config);
    const pile = spawn(...sim, "--seed", "5");
    try {
      const online = async () => {
        try {
          return (await call(config, "pile", "list", "--json")).includes('"state":"standby"');
        } catch (error) {
          if (!(error instanceof Error)) throw error;
          return false; // It has not started to listen yet.
        }
      };
      for (let turn = 0; turn < 300 && !(await online()); turn += 1);
      await using centre = new Peer("centre.py", port + 2, undefined);
      const heard = (ioa: number) =>
        centre.said.filter((one) => one.what === "value" && one.ioa === ioa).map(({ value }) =>
          Number(value === "True" ? 1 : value === "False" ? 0 : value)
        );
      await centre.until("the pile is in standby", () => heard(STATE).at(-1) === 1);
      const command = async (line: string) => {
        const before = centre.said.length;
        await centre.tell(line);
        const answered = () => centre.said.slice(before).find(({ what }) => what === "commanded");
        await centre.until(`an answer to ${line}`, () => answered() !== undefined);
        assertEquals(answered()!.success, true, line);
      };
      await command(`${CHARGE} C_SC_NA_1 ON DIRECT`);
      await centre.until("the relay is closed", () => heard(CLOSED).at(-1) === 1);
      await centre.until("it charges", () => heard(STATE).at(-1) === 2);
      await command(`${CHARGE} C_SC_NA_1 OFF DIRECT`);
      await centre.until("the relay is open", () => heard(CLOSED).at(-1) === 0);
      await centre.until("it is in standby", () => heard(STATE).at(-1) === 1);
      const audit = await call(config, "points", "audit");
      assert(audit.includes("piles.pile-0001.charge"), audit);
    } finally {
      for (const child of [pile, busbar]) {
        child.kill("SIGTERM");
        assertEquals((await child.status).code, 0);
      }
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
