/** What went wrong with a side of a path, with what the operator can do about it. */
import { describe, OsError } from "../../base/errors.ts";
import { FAULT } from "../../platform/hot.ts";
import type { Config } from "./config.ts";

/** There is no interface to join and to send on. */
export function noInterface(via: string | undefined): OsError {
  const what = via === undefined
    ? "There is no default route to take the interface from; set `via`"
    : `There is no interface ${via}; set \`via\` to one of this host, or wait until it comes`;
  return new OsError("os.via.none", what, { errno: "ENODEV" });
}

/** Why an open and joined group takes nothing, with what the operator can do about it. */
export function refusal(errno: number, { group, port }: Config): string {
  const to = group === undefined ? "the peers" : `${group}:${port}`;
  switch (errno) {
    case FAULT.notPermitted:
      return "Network refuses datagrams (EPERM): let the packet filter of this host pass UDP to " +
        to;
    case FAULT.unreachable:
      return `Network refuses datagrams (ENETUNREACH): give this host a route to ${to}`;
    default:
      return `Network refuses datagrams (errno ${errno})`;
  }
}

/** The message of an error with what the operator can do about it. */
export function remedied(error: OsError): string {
  const text = describe(error);
  switch (error.detail.errno) {
    case "EACCES":
      return `${text}: run as root, or let everybody open the device ` +
        "(`chmod 666 /dev/net/tun`) and give busbar the capability NET_ADMIN";
    case "EPERM":
      return `${text}: run as root, or with the capabilities NET_ADMIN and NET_RAW ` +
        "(`busbar service install` sets them up)";
    case "ENOENT":
      return `${text}: load the tun module (\`modprobe tun\`) or give the container /dev/net/tun`;
    case "EBUSY":
      return `${text}: stop the other program, or name another TAP`;
    default:
      return text;
  }
}
