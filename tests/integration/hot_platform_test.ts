/** The byte plane's system on a real kernel, in a network namespace of its own. */
import { assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";
import { createPair } from "../netns.ts";
import { CASES } from "./hot_platform_cases.ts";

const FILE = new URL("hot_platform_cases.ts", import.meta.url).pathname;

for (const name of Object.keys(CASES)) {
  Deno.test({
    name: `On the kernel, ${name}`,
    ...needs("root", "netns", "tun", "ip"),
    fn() {
      // A namespace belongs to a process, so each case has one of both.
      using pair = createPair();
      const command = [Deno.execPath(), "run", "-A", "--no-check", FILE, name];
      const { code, err } = pair.a.exec(command, { mayFail: true });
      assertEquals([code, err], [0, ""]);
    },
  });
}
