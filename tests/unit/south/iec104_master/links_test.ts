import { CONFIG } from "../../../../src/south/iec104_master/config.ts";
import { parseLinks } from "../../../../src/south/iec104_master/links.ts";
import { assertEquals } from "../../../assert.ts";

function shown(text: string): string {
  const links = parseLinks(text);
  if (typeof links === "string") return links;
  return links.map(({ host, port }) => `${host} ${port}`).join(", ");
}

for (
  const [text, wanted] of [
    [
      "192.168.1.1:2404:M3",
      "192.168.1.1 2404, 192.168.1.2 2404, 192.168.1.3 2404, 192.168.1.4 2404",
    ],
    ["192.168.1.1:2404", "192.168.1.1 2404"],
    ["192.168.1.1", "192.168.1.1 2404"],
    ["192.168.1.253:M1", "192.168.1.253 2404, 192.168.1.254 2404"],
    ["192.168.1.253:2404:M2", "runs beyond the last address of its network (192.168.1.253)"],
    ["192.168.1.1:2404:M16", "must have at most 16 addresses"],
    ["rtu-7.site:2405", "rtu-7.site 2405"],
    ["rtu-7.site:2405:M1", "must have an IPv4 address in front of :M"],
    ["[::1]:2404", "::1 2404"],
    ["[:::1]:2404", "must have an address, and :::1 is none"],
    ["10.0.0.300:2404", "must have an address or a name, and 10.0.0.300 is none"],
    ["10.0.0.3:0", "must have a port from 1 to 65535"],
    ["10.0.0.3:70000", "must have a port from 1 to 65535"],
    ["10.0.0.3:2404:X2", "must be HOST:PORT, or ADDRESS:PORT:Mn for n more consecutive addresses"],
  ] as const
) {
  Deno.test(`A link list: ${text}`, () => assertEquals(shown(text), wanted));
}

Deno.test("What cannot work together is told", () => {
  const told = (fields: object) => {
    const { error } = CONFIG.safeParse({ channels: ["10.0.0.1:2404"], ...fields });
    return error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`) ?? [];
  };
  assertEquals(told({}), []);
  assertEquals(told({ t1: "5s", t2: "5s" }), ["t2 must be less than t1"]);
  assertEquals(told({ k: 4, w: 8 }), ["w must not be more than k, or the RTU waits for t2"]);
  assertEquals(told({ time_zone: "Mars" }), [
    "time_zone must be a time zone such as UTC or Asia/Shanghai",
  ]);
  assertEquals(told({ interrogate_at: "61 * * * *" }).length, 1);
  assertEquals(told({ channels: ["10.0.0.254:2404:M3"] }), [
    "channels.0 runs beyond the last address of its network (10.0.0.254)",
  ]);
});
