/**
 * What the byte plane's system does on a real kernel, case by case. Run by `hot_platform_test.ts`
 * inside of a network namespace with an `eth0`; one argument, the case.
 */
import { parseIpv4 } from "../../src/base/address.ts";
import { OsError } from "../../src/base/errors.ts";
import {
  FAULT,
  type FrameBatch,
  type GroupOptions,
  type GroupPort,
  type HotPlatform,
  type TapOptions,
  type TapPort,
} from "../../src/platform/hot.ts";
import { createHotPlatform } from "../../src/platform/linux/hot_platform.ts";
import { LinuxPoller, POLL_MAX } from "../../src/platform/linux/poll.ts";
import { PacketSender } from "../../src/platform/linux/packet.ts";
import { assert, assertEquals } from "../assert.ts";

const TAP: TapOptions = { name: "tap7", address: undefined, mtu: 1500, queueLength: 1000 };
const PORT = 61850;

function ip(...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command("ip", { args }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function group(host: HotPlatform, more: Partial<GroupOptions> = {}): GroupPort {
  const options: GroupOptions = {
    group: "224.0.1.100",
    peers: [],
    port: PORT,
    via: host.interface("eth0")!.index,
    ttl: 1,
    dscp: 46,
    loop: true,
    receiveBuffer: 262_144,
    sendBuffer: 262_144,
  };
  return host.openGroup({ ...options, ...more });
}

/** Fills slots with datagrams of a length, numbered in their first octet. */
function fill(batch: FrameBatch, count: number, length: number): FrameBatch {
  for (let slot = 0; slot < count; slot += 1) {
    batch.start[slot] = slot * batch.slotSize;
    batch.length[slot] = length;
    batch.octets.fill(slot + 1, slot * batch.slotSize, slot * batch.slotSize + length);
  }
  batch.count = count;
  return batch;
}

/** First octet, length and source of what a group has for us. */
function heard(from: GroupPort, into: FrameBatch): number[][] {
  const count = from.receive(into);
  if (count < 0) return [[count]];
  return Array.from({ length: count }, (_, slot) => [
    into.octets[into.start[slot]!]!,
    into.length[slot]!,
    into.source[slot]!,
  ]);
}

function errnoOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    assert(error instanceof OsError, String(error));
    return error.detail.errno;
  }
  return "none";
}

/** The kernel tells of a carrier up to a second after it has come or gone. */
function untilTrue(host: HotPlatform, what: () => boolean): void {
  for (let tries = 0; tries < 500 && !what(); tries += 1) host.rest(10_000);
  assert(what());
}

/** A GOOSE frame of a length, to the TAP from the kernel's side. */
function toTap(sender: PacketSender, length = 60): void {
  const frame = new Uint8Array(length);
  frame.set([0x01, 0x0c, 0xcd, 0x01, 0x00, 0x01, 0x02, 0, 0, 0, 0, 0x11, 0x88, 0xb8]);
  assert(sender.send(frame));
}

/** Reads until a frame of GOOSE comes or nothing is left: the kernel may say things of its own. */
function readGoose(tap: TapPort, batch: FrameBatch): number {
  for (;;) {
    const length = tap.read(batch, 0);
    if (length < 0) return length;
    const at = batch.start[0]!;
    if (batch.octets[at + 12] === 0x88 && batch.octets[at + 13] === 0xb8) return length;
  }
}

export const CASES: Readonly<Record<string, (host: HotPlatform) => void>> = {
  "a TAP is made as asked, and goes when it is closed"(host) {
    {
      using tap = host.openTap({ ...TAP, address: "192.168.7.1/24", mtu: 1400, queueLength: 500 });
      const { mtu, up, carrier, address } = host.interface("tap7")!;
      assertEquals([mtu, up, carrier, address], [1400, true, true, parseIpv4("192.168.7.1")]);
      const [link] = JSON.parse(ip("-j", "addr", "show", "tap7"));
      assertEquals([link.txqlen, link.addr_info[0].prefixlen, tap.adopted], [500, 24, false]);
    }
    assertEquals(host.interface("tap7"), undefined);
  },

  "a TAP that another has is busy, and one that is no TAP is refused"(host) {
    using _tap = host.openTap(TAP);
    assertEquals(errnoOf(() => host.openTap(TAP)), "EBUSY");
    assertEquals(errnoOf(() => host.openTap({ ...TAP, name: "eth0" })), "EINVAL");
    assertEquals(errnoOf(() => host.openTap({ ...TAP, name: "a".repeat(16) })), "ENAMETOOLONG");
  },

  "a TAP that cannot be set up leaves nothing behind"(host) {
    assertEquals(errnoOf(() => host.openTap({ ...TAP, mtu: 10_000_000 })), "EINVAL");
    assertEquals(host.interface("tap7"), undefined);
  },

  "a persistent TAP is adopted, keeps its address, and stays"(host) {
    ip("tuntap", "add", "dev", "tap7", "mode", "tap");
    ip("addr", "add", "192.168.7.1/24", "dev", "tap7");
    const { index } = host.interface("tap7")!;
    {
      using tap = host.openTap({ ...TAP, address: "192.168.7.1/24" });
      assertEquals([tap.adopted, host.interface("tap7")!.index], [true, index]);
    }
    assertEquals(host.interface("tap7")!.index, index);
    ip("link", "delete", "tap7");
  },

  "frames pass a TAP both ways, octet by octet"(host) {
    using tap = host.openTap(TAP);
    using other = host.openTap({ ...TAP, name: "tap8" });
    const batch = host.batch(1, 1600, 32);
    using sender = PacketSender.open("tap7");
    toTap(sender, 1514);
    assertEquals(readGoose(tap, batch), 1514);
    const at = batch.start[0]!;
    assertEquals([at, batch.octets[at + 11]], [32, 0x11]);
    // Out of one TAP and into the kernel: what it counts as received is what we have written.
    batch.length[0] = 1514;
    assertEquals(other.write(batch, 0), 1514);
    const [link] = JSON.parse(ip("-j", "-s", "link", "show", "tap8"));
    assertEquals([link.stats64.rx.packets, link.stats64.rx.bytes], [1, 1514]);
  },

  "a TAP without frames says again, and takes no frame that is none"(host) {
    using tap = host.openTap(TAP);
    const batch = host.batch(1, 1600, 32);
    assertEquals(readGoose(tap, batch), -FAULT.again);
    batch.length[0] = 13;
    assertEquals(tap.write(batch, 0), -FAULT.invalid);
  },

  "a TAP that is down takes no frame until it is brought up"(host) {
    using tap = host.openTap(TAP);
    const batch = fill(host.batch(1, 1600, 32), 1, 60);
    ip("link", "set", "tap7", "down");
    assertEquals(host.interface("tap7")!.up, false);
    assertEquals(tap.write(batch, 0), -FAULT.down);
    tap.bringUp();
    assertEquals([host.interface("tap7")!.up, tap.write(batch, 0)], [true, 60]);
  },

  "a TAP that is deleted is gone for reading and for writing, and is made anew"(host) {
    const batch = fill(host.batch(1, 1600, 32), 1, 60);
    using tap = host.openTap(TAP);
    ip("link", "delete", "tap7");
    assertEquals([tap.read(batch, 0), tap.write(batch, 0)], [-FAULT.gone, -FAULT.gone]);
    assertEquals([host.interface("tap7"), errnoOf(() => tap.bringUp())], [undefined, "ENODEV"]);
    const poller = host.poller();
    poller.watch(tap);
    assertEquals(poller.wait(0), 1, "an error is input");
    tap[Symbol.dispose]();
    using again = host.openTap(TAP);
    assertEquals([again.adopted, readGoose(again, batch)], [false, -FAULT.again]);
  },

  "a TAP without carrier is seen, and seen again with it"(host) {
    ip("tuntap", "add", "dev", "tap7", "mode", "tap");
    ip("link", "set", "tap7", "up");
    assertEquals(host.interface("tap7")!.carrier, false, "nobody has it open");
    {
      using _tap = host.openTap(TAP);
      untilTrue(host, () => host.interface("tap7")!.carrier);
    }
    untilTrue(host, () => !host.interface("tap7")!.carrier);
    ip("link", "delete", "tap7");
  },

  "frames beyond the queue of a TAP are dropped and counted"(host) {
    using tap = host.openTap({ ...TAP, queueLength: 100 });
    const batch = host.batch(1, 1600, 32);
    const before = tap.dropped();
    using sender = PacketSender.open("tap7");
    for (let sent = 0; sent < 300; sent += 1) toTap(sender);
    let read = 0;
    while (readGoose(tap, batch) > 0) read += 1;
    assert(read <= 100 && read > 0, `${read} read`);
    // What the kernel itself had to say took places in the queue too.
    assert(tap.dropped() - before >= 300 - read, `${tap.dropped() - before} dropped`);
  },

  "datagrams come with length and source, and only those of the group"(host) {
    using one = group(host);
    using two = group(host, { group: "224.0.1.101" });
    const out = fill(host.batch(4, 1600, 0), 3, 200);
    const into = host.batch(8, 1600, 0);
    assertEquals(one.send(out, 0), 3);
    const source = parseIpv4("10.79.0.1")!;
    assertEquals(heard(one, into), [[1, 200, source], [2, 200, source], [3, 200, source]]);
    assertEquals([heard(two, into), heard(one, into)], [[[-FAULT.again]], [[-FAULT.again]]]);
    assertEquals(two.send(out, 2), 1);
    assertEquals([heard(two, into), heard(one, into)], [[[3, 200, source]], [[-FAULT.again]]]);
    assert(host.localAddresses().includes(source));
  },

  "without loop a host does not hear itself"(host) {
    using one = group(host, { loop: false });
    assertEquals(one.send(fill(host.batch(1, 1600, 0), 1, 100), 0), 1);
    assertEquals(heard(one, host.batch(1, 1600, 0)), [[-FAULT.again]]);
  },

  "a datagram longer than a slot is marked, and the next one is whole"(host) {
    using one = group(host);
    const out = fill(host.batch(3, 1600, 0), 3, 64);
    out.length[1] = 400;
    assertEquals(one.send(out, 0), 3);
    const into = host.batch(8, 128, 0);
    assertEquals(heard(one, into).map(([, length]) => length), [64, 129, 64]);
    assertEquals(one.send(out, 0), 3);
    assertEquals(heard(one, into).map(([, length]) => length), [64, 129, 64], "slots used again");
  },

  "a datagram beyond the MTU is refused, nothing is fragmented"(host) {
    using one = group(host, { loop: false });
    const out = fill(host.batch(3, 1600, 0), 3, 1472);
    assertEquals(one.send(out, 0), 3);
    out.length[1] = 1473;
    assertEquals(one.send(out, 0), 1, "up to the one that does not fit");
    assertEquals([one.send(out, 1), one.send(out, 2)], [-FAULT.tooBig, 1]);
  },

  "datagrams beyond the receive buffer are dropped and counted"(host) {
    using one = group(host, { receiveBuffer: 65_536 });
    assertEquals(one.receiveBuffer, 131_072, "the kernel doubles it");
    const out = fill(host.batch(64, 1600, 0), 64, 1000);
    let sent = 0;
    for (let round = 0; round < 20; round += 1) sent += one.send(out, 0);
    const into = host.batch(64, 1600, 0);
    let received = 0;
    for (let count = one.receive(into); count > 0; count = one.receive(into)) received += count;
    assert(received > 0 && received < sent, `${received} of ${sent}`);
    assertEquals(one.dropped(), sent - received);
  },

  "an interface that is no more or down is told by the call"(host) {
    assertEquals(errnoOf(() => group(host, { via: 9999 })), "ENODEV");
    using one = group(host);
    const out = fill(host.batch(1, 1600, 0), 1, 100);
    ip("link", "set", "eth0", "down");
    assertEquals([host.interface("eth0")!.up, one.send(out, 0)], [false, -FAULT.unreachable]);
    ip("link", "set", "eth0", "up");
    assertEquals(host.interface("eth0")!.up, true);
  },

  "interfaces are found by name, by address and by the default route"(host) {
    assertEquals(host.interfaceName("eth7"), "eth7");
    assertEquals([host.interfaceName("10.79.0.1"), host.interfaceName("10.9.9.9")], [
      "eth0",
      undefined,
    ]);
    assertEquals(host.interfaceName(undefined), undefined);
    ip("route", "add", "default", "via", "10.79.0.2");
    assertEquals(host.interfaceName(undefined), "eth0");
    ip("route", "delete", "default");
    assertEquals(host.interface("eth7"), undefined);
  },

  "a datagram goes to every peer, also when one has no route"(host) {
    const port = PORT + 1;
    const peer = (address: string) => ({ address: parseIpv4(address)!, port });
    using here = group(host, { group: undefined, peers: [], port });
    const peers = [peer("203.0.113.1"), peer("10.79.0.1"), peer("127.0.0.1")];
    using one = group(host, { group: undefined, peers, port: PORT });
    assertEquals(one.send(fill(host.batch(2, 1600, 0), 2, 50), 0), 2);
    const all = heard(here, host.batch(8, 1600, 0)).map(([first, length]) => [first, length]);
    assertEquals(all, [[1, 50], [2, 50], [1, 50], [2, 50]]);
  },

  "a poller tells who is ready, waits no longer than asked, and has room for so many"(host) {
    using one = group(host);
    using two = group(host, { group: "224.0.1.101" });
    const poller = host.poller();
    poller.watch(one);
    poller.watch(two);
    assertEquals(poller.wait(0), 0);
    two.send(fill(host.batch(1, 1600, 0), 1, 50), 0);
    assertEquals([poller.wait(100), poller.ready(one), poller.ready(two)], [1, false, true]);
    poller.unwatch(two);
    assertEquals([poller.wait(0), poller.ready(two)], [0, false]);
    const full = new LinuxPoller();
    for (let count = 0; count < POLL_MAX; count += 1) full.watch(one);
    let code = "";
    try {
      full.watch(one);
    } catch (error) {
      code = (error as { code?: string }).code ?? "";
    }
    assertEquals(code, "poll.full");
  },
};

if (import.meta.main) {
  const host = createHotPlatform();
  CASES[Deno.args[0]!]!(host);
}
