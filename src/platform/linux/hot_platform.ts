/** The system for a worker of the byte plane, by libc. */
import { parseIpv4 } from "../../base/address.ts";
import type { Instant } from "../../base/time.ts";
import type { HotPlatform, InterfaceState } from "../hot.ts";
import { Datagrams } from "./datagrams.ts";
import { Group } from "./group.ts";
import { memberships } from "./igmp.ts";
import { IgmpSocket } from "./igmp_socket.ts";
import { Interfaces } from "./ioctl.ts";
import { libc } from "./libc.ts";
import { systemAuthenticator } from "./libcrypto.ts";
import { LinuxBatch } from "./mmsg.ts";
import { Peers } from "./peers.ts";
import { LinuxPoller } from "./poll.ts";
import { defaultRouteInterface } from "./proc_net.ts";
import { Station } from "./station.ts";
import { Tap } from "./tap.ts";
import { LINUX_STREAMS } from "./streams.ts";
import { makeRealtime } from "./thread.ts";

/** Opens nothing by itself. */
export function createHotPlatform(): HotPlatform {
  const origin = performance.timeOrigin;
  let interfaces: Interfaces | undefined;
  const stateOf = (name: string): InterfaceState | undefined => {
    interfaces ??= new Interfaces();
    return interfaces.state(name);
  };
  // `performance` cannot follow a step of the wall clock; the difference is measured anew now and
  // then.
  let offset = Date.now() - (origin + performance.now());
  let checkedAt = performance.now();
  return {
    streams: LINUX_STREAMS,
    now: () => performance.now() as Instant,
    epochMicros(at?: Instant) {
      const now = at ?? performance.now();
      if (now - checkedAt > 1000) {
        const fresh = Date.now() - (origin + now);
        if (Math.abs(fresh - offset) > 2) offset = fresh;
        checkedAt = now;
      }
      return Math.floor((origin + now + offset) * 1000);
    },
    randomWords: () => {
      const [high, low] = crypto.getRandomValues(new Uint32Array(2));
      return [high!, low!];
    },
    authenticator: systemAuthenticator,
    realtime: makeRealtime,
    rest: (micros) => void libc().usleep(micros),
    batch: (slots, slotSize, headroom) => new LinuxBatch(slots, slotSize, headroom),
    poller: () => new LinuxPoller(),
    openStation: (name) => Station.open(name),
    openTap: (options) => Tap.open(options),
    openGroup: (options) => options.group === undefined ? Peers.open(options) : Group.open(options),
    openDatagrams: (options) => Datagrams.open(options),
    openIgmp: (via) => IgmpSocket.open(via),
    membership(via, group) {
      const groups = memberships().filter((one) => one.interface === via);
      const [first] = groups;
      if (!first) return undefined;
      return { version: first.version, member: groups.some((one) => one.group === group) };
    },
    interface: stateOf,
    interfaceName(nameOrAddress) {
      if (nameOrAddress === undefined) return defaultRouteInterface();
      if (parseIpv4(nameOrAddress) === undefined) return nameOrAddress;
      const found = Deno.networkInterfaces().find(({ address }) => address === nameOrAddress);
      return found?.name;
    },
    localAddresses: () =>
      Deno.networkInterfaces().filter(({ family }) => family === "IPv4")
        .map(({ address }) => parseIpv4(address)!),
  };
}
