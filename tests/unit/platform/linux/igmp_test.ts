import { parseIgmp } from "../../../../src/platform/linux/igmp.ts";
import { assertEquals } from "../../../assert.ts";

const TABLE = `Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
1\tlo        :     1      V3
\t\t\t\t010000E0     1 0:00000000\t\t0
2\teth0      :     3      V2
\t\t\t\t650100E0     1 0:00000000\t\t1
\t\t\t\t640100E0     2 1:0000002A\t\t1
\t\t\t\t010000E0     1 0:00000000\t\t0
`;

Deno.test("Memberships are read block by block, with their words the right way round", () => {
  const eth0 = { interface: "eth0", index: 2, version: "V2" };
  assertEquals(parseIgmp(TABLE), [
    { interface: "lo", index: 1, version: "V3", group: "224.0.0.1", users: 1 },
    { ...eth0, group: "224.0.1.101", users: 1 },
    { ...eth0, group: "224.0.1.100", users: 2 },
    { ...eth0, group: "224.0.0.1", users: 1 },
  ]);
});

Deno.test("Memberships of a table that is empty or strange are none", () => {
  for (const text of ["", "x", "head\n\t\t\t\t640100E0     2 0:0\t\t1\n", "head\n1 lo\n"]) {
    assertEquals(parseIgmp(text), []);
  }
});
