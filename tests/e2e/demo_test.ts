/** `busbar demo fep` on the packed executable, with what its guide says can be done beside it. */
import { assert, assertEquals } from "../assert.ts";
import { freePorts } from "../relay/busbar.ts";
import { caller, until } from "./call.ts";
import { executable } from "./harness.ts";

Deno.test("The demonstration runs a site that can be watched, commanded and traced", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-demo-test-" });
  const control = `127.0.0.1:${freePorts(1)}`;
  const [program, ...args] = executable();
  const call = caller("--control", control);
  const demo = new Deno.Command(program!, {
    args: [...args, "demo", "fep", "--control", control],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    await until("both RTUs were interrogated", async () => {
      const { out } = await call("fep", "rtus", "--json");
      return out.split('"interrogation":"done"').length === 3;
    });
    await until(
      "the control centre has connected",
      async () => (await call("fep", "groups")).out.includes("127.0.0.1"),
    );
    const commanded = await call("fep", "command", "rtu_1", "1/301", "on", "--pulse", "short");
    assertEquals(commanded, { code: 0, out: "Done", err: "" });
    const audit = JSON.parse((await call("points", "audit", "--json")).out.split("\n")[0]!);
    assertEquals([audit.point, audit.value, audit.outcome], ["rtu_1.do.301", "true", "done"]);
    const none = await call("fep", "command", "rtu_1", "1/101", "on");
    assertEquals(none.err, "The point table has no output (do, ao) at CA 1 IOA 101");
    const misread = await call("fep", "command", "rtu_1", "101", "on");
    assertEquals([misread.code, misread.err.split("\n")[0]], [
      2,
      'busbar: ADDRESS must be CA/IOA such as 1/201, not "101"',
    ]);
    const [file] = (await call("fep", "files", "rtu_2", "--json")).out.split("\n");
    assertEquals(JSON.parse(file!).length, 20_000);
    const path = `${folder}/record.bin`;
    const fetched = await call("fep", "fetch", "rtu_2", "2/9001", "2", "-o", path);
    assertEquals([fetched.code, fetched.out], [0, `${path}: 20000 octets`]);
    const octets = Deno.readFileSync(path);
    assertEquals(octets.every((octet, at) => octet === (at * 31 + (at >> 8) & 0xff)), true);
    const missing = await call("fep", "fetch", "rtu_2", "2/9001", "7", "-o", path);
    assertEquals([missing.code, missing.err], [1, "File: the file is not ready"]);
    assertEquals(
      (await call("fep", "parameter", "rtu_1", "1/201", "threshold", "2.5")).out,
      "Done",
    );
    const counters = ["fep", "interrogate", "rtu_1", "--counters", "--freeze", "freeze"];
    assertEquals((await call(...counters)).out, "Done");
    const traced = await call("trace", "iec104_master.rtu_1", "objects");
    assertEquals(traced.code, 0, traced.err);
    assertEquals((await call("fep", "interrogate", "rtu_1", "--test")).out, "Done");
  } finally {
    demo.kill("SIGINT");
  }
  const { code, stdout } = await demo.output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  const report = JSON.parse(lines.at(-1)!);
  assertEquals([code, report.missing, report.disordered], [0, 0, 0], lines.at(-1));
  assert(report.events > 0 && report.points > 0 && report.interrogations >= 2, lines.at(-1));
  const frame = lines.find((line) => line.includes("-> I ") && line.includes("C_TS_TA_1"));
  assert(frame?.includes('"code":"iec104.frame"'), "the test command was traced");
  Deno.removeSync(folder, { recursive: true });
});
