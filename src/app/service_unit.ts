/**
 * The systemd unit of busbar, as text. It grants what carrying frames needs (two capabilities, one
 * device, five address families) and takes away the rest of the system.
 * @module
 */

/** Name of the unit. */
export const UNIT = "busbar.service";
/** Where it is installed. */
export const UNIT_PATH = `/etc/systemd/system/${UNIT}`;
/** The configuration that the service reads. */
export const SERVICE_CONFIG_PATH = "/etc/busbar/busbar.yaml";
/** Values of `${NAME}` in the configuration; read by systemd as root, so that it may be mode 600. */
export const SERVICE_ENVIRONMENT_PATH = "/etc/busbar/environment";

/** Folders that the sandbox hides from the service, so that nothing can be started from there. */
const HIDDEN = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/** What differs from one installation to the next. */
export interface UnitSettings {
  /** Absolute path of the executable. */
  readonly executable: string;
  /** Absolute path of the configuration. */
  readonly configPath: string;
}

/** Why a path cannot be used by the service; undefined when it can. */
export function unusable(path: string): string | undefined {
  if (!path.startsWith("/")) return "it is not an absolute path";
  // deno-lint-ignore no-control-regex -- these would end the line of the unit
  if (/[\x00-\x1f\x7f]/.test(path)) return "it has a control character in its name";
  if (path.split("/").some((part) => part === "." || part === "..")) {
    return "it is not a plain path";
  }
  const folder = HIDDEN.find((hidden) => path.startsWith(`${hidden}/`));
  return folder === undefined ? undefined : `the service cannot see ${folder}`;
}

/** One word of a command line, with what systemd would interpret in it made plain. */
export function quoteWord(word: string): string {
  const plain = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[\w@%+=:,./$-]+$/.test(plain)) return plain;
  return `"${plain.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** The unit file. */
export function unitText({ executable, configPath }: UnitSettings): string {
  const start = [executable, "run", "--config_path", configPath].map(quoteWord).join(" ");
  return `# Written by "busbar service install"; change it by "systemctl edit ${UNIT}".
[Unit]
Description=busbar telecontrol and relay gateway
Wants=network-online.target
After=network-online.target
# Nobody stands beside the box: it never gives up starting.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=${start}
ExecReload=/bin/kill -HUP $MAINPID
# The first start of a version unpacks it.
TimeoutStartSec=120
TimeoutStopSec=20
WatchdogSec=30
Restart=always
RestartSec=2
# 2 is a configuration that has to be changed first. 70, a fault of busbar itself, is restarted.
RestartPreventExitStatus=2

DynamicUser=yes
User=busbar
CacheDirectory=busbar-service
CacheDirectoryMode=0700
StateDirectory=busbar
StateDirectoryMode=0750
LogsDirectory=busbar
LogsDirectoryMode=0750
UMask=0027
Environment=BUSBAR_CACHE=%C/busbar-service
EnvironmentFile=-${SERVICE_ENVIRONMENT_PATH}
LimitNOFILE=65536
LimitCORE=0
# For paths with realtime:.
LimitRTPRIO=99

AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW
NoNewPrivileges=yes
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
# MemoryDenyWriteExecute= cannot be set: the JavaScript engine compiles to machine code as it runs.

[Install]
WantedBy=multi-user.target
`;
}
