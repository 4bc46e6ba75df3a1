import fc from "fast-check";
import { parseDev, parseRoute, parseUdp } from "../../../../src/platform/linux/proc_net.ts";
import { assert, assertEquals } from "../../../assert.ts";

const DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo:   1     2    0    3    0     0          0         0        1       2    0    0    0     0
goose0: 100    10    0    5    0     0          0         0      200      20    0   77    0     0
 goose:9000000000 1 0 6 0 0 0 0 9000000000 1 0 88 0 0 0 0
`;

const HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
const route = (name: string, destination: string, flags: string, metric: number, mask: string) =>
  `${name}\t${destination}\t0100000A\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0`;

const UDP =
  `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid inode drops
  511: 640100E0:F19A 00000000:0000 07 00000000:00000000 00:00000000 00000000  0  0 4242 2 0 0
  512: 650100E0:F19A 00000000:0000 07 00000000:00000000 00:00000000 00000000  0  0 4243 2 0 39
`;

Deno.test("Drops of an interface are those on the way out, of that very name", () => {
  assertEquals(["lo", "goose0", "goose", "eth0"].map((name) => parseDev(DEV, name)), [
    0,
    77,
    88,
    0,
  ]);
});

Deno.test("The default route is the one that is up, with the least metric", () => {
  const table = [
    HEAD,
    route("eth0", "0000A8C0", "0001", 0, "00FFFFFF"),
    route("wlan0", "00000000", "0003", 600, "00000000"),
    route("eth1", "00000000", "0003", 100, "00000000"),
    route("eth2", "00000000", "0002", 1, "00000000"),
    route("tun0", "00000000", "0003", 0, "00000080"),
  ];
  assertEquals(parseRoute(table.join("\n")), "eth1");
  assertEquals(parseRoute(table.slice(0, 2).join("\n")), undefined);
});

Deno.test("Drops of a socket are found by its inode", () => {
  assertEquals([4242, 4243, 424].map((inode) => parseUdp(UDP, inode)), [0, 39, 0]);
});

Deno.test("Tables that are empty, cut or strange say nothing, and never throw", () => {
  for (const text of ["", "x", HEAD, `${HEAD}\n\n`]) {
    assertEquals([parseDev(text, "eth0"), parseRoute(text), parseUdp(text, 1)], [0, undefined, 0]);
  }
  const cut = fc.record({ text: fc.constantFrom(DEV, UDP, HEAD), at: fc.nat({ max: 600 }) });
  fc.assert(
    fc.property(cut, ({ text, at }) => {
      const part = text.slice(0, at);
      parseRoute(part);
      assert(parseDev(part, "goose0") >= 0);
      assert(parseUdp(part, 4243) >= 0);
    }),
  );
});
