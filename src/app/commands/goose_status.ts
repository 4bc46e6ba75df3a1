/** `busbar goose test | interfaces | multicast | stats`: the bridge, checked against the kernel. */
import { formatIpv4 } from "../../base/address.ts";
import type { JsonObject } from "../../kernel/registry.ts";
import { type Command, EXIT, type Invocation, type Option, type Terminal } from "../command.ts";
import {
  type BridgePath,
  dropsOf,
  examine,
  type Finding,
  type KernelView,
  MODULE,
} from "../goose_paths.ts";
import { type Language, languageOf } from "../locale.ts";
import { table } from "../table.ts";

/** What the commands ask. */
export interface Witnesses {
  /** The options that say which busbar is meant. */
  readonly options: readonly Option[];
  /**
   * The paths, as the running busbar tells; from the configuration when it does not answer.
   * @returns `silent` is why it does not answer; empty when it does.
   */
  paths(call: Invocation): Promise<{ paths: readonly BridgePath[]; silent: string }>;
  readonly kernel: KernelView;
}

const WORDS = {
  en: {
    testing: "Testing the service...",
    step1: "1. Checking TAP interfaces...",
    step2: "2. Checking multicast groups...",
    step3: "3. Checking the service...",
    groups: "Multicast groups",
    service: "Service",
    interfaces: "TAP interfaces:",
    none: "does not exist",
    up: "up",
    down: "down",
    carrier: "carrier",
    noCarrier: "no carrier",
    memberships: "Multicast group memberships:",
    joined: (rank: string, group: string) => `OK ${rank} group ${group} joined`,
    missing: (rank: string, group: string) => `FAIL ${rank} group ${group} not joined`,
    rank: (index: number) => ["primary", "backup"][index] ?? `path ${index + 1}`,
    heads: ["path", "tap", "state", "out", "in", "dropped", "why dropped"],
    separator: ", ",
  },
  zh: {
    testing: "执行服务测试...",
    step1: "1. 检查TAP接口...",
    step2: "2. 检查多播组...",
    step3: "3. 检查服务状态...",
    groups: "多播组",
    service: "服务",
    interfaces: "TAP接口状态:",
    none: "不存在",
    up: "已启用",
    down: "未启用",
    carrier: "载波正常",
    noCarrier: "无载波",
    memberships: "多播组成员状态:",
    joined: (rank: string, group: string) => `✅ ${rank}多播组 ${group} 已加入`,
    missing: (rank: string, group: string) => `❌ ${rank}多播组 ${group} 未加入`,
    rank: (index: number) => ["主", "备"][index] ?? `第${index + 1}`,
    heads: ["路径", "TAP", "状态", "发出", "收到", "丢弃", "丢弃原因"],
    separator: "，",
  },
} as const;
type Words = (typeof WORDS)[Language];

const JSON_OPTION: Option = { name: "json", summary: "One JSON object" };
const DETAILS =
  "Chinese when LC_ALL or LANG begins with zh, else English. What fails is explained " +
  "on the error output; exit code 1 then.";

/** What one of the commands knows when it begins to write. */
interface Report {
  readonly findings: readonly Finding[];
  readonly words: Words;
  readonly terminal: Terminal;
  readonly silent: string;
}

/** The commands, asking these witnesses. */
export function gooseStatusCommandsOf(witnesses: Witnesses): Command[] {
  const command = (
    word: string,
    summary: string,
    write: (report: Report) => boolean,
    image: (report: Report) => JsonObject,
    details = DETAILS,
  ): Command => ({
    name: `goose ${word}`,
    summary,
    details,
    options: [JSON_OPTION, ...witnesses.options],
    args: [],
    run: async (call) => {
      const report = await gather(call, witnesses);
      if (report.findings.length === 0) {
        call.terminal.err(`busbar: There is no path: modules.${MODULE} is empty`);
        return EXIT.failed;
      }
      if (call.options.json === true) {
        const told = image(report);
        call.terminal.out(JSON.stringify(told));
        return told.ok === false ? EXIT.failed : EXIT.ok;
      }
      return write(report) ? EXIT.ok : EXIT.failed;
    },
  });
  return [
    command("test", "Check TAPs, multicast groups and the service", writeTest, testImage),
    command(
      "interfaces",
      "Show the TAP interfaces, as the kernel has them",
      writeInterfaces,
      interfacesImage,
    ),
    command(
      "multicast",
      "Show whether the multicast groups are joined",
      writeMulticast,
      multicastImage,
    ),
    command("stats", "Show what each path carried and dropped", writeStats, statsImage),
  ];
}

async function gather(call: Invocation, witnesses: Witnesses): Promise<Report> {
  const { paths, silent } = await witnesses.paths(call);
  const words = WORDS[languageOf(call.terminal.env)];
  const findings = paths.map((path) => examine(path, witnesses.kernel));
  return { findings, words, terminal: call.terminal, silent };
}

/** The lines people know by heart, and nothing between them: what failed goes to stderr. */
function writeTest({ findings, words, terminal, silent }: Report): boolean {
  const mark = (ok: boolean) => ok ? "OK" : "FAIL";
  const groups = findings.every(({ group }) => group.ok);
  const service = findings.every((finding) => finding.service.ok);
  terminal.out(words.testing);
  terminal.out(words.step1);
  for (const { path, tap } of findings) terminal.out(`${path.tap}: ${mark(tap.ok)}`);
  terminal.out(words.step2);
  terminal.out(`${words.groups}: ${mark(groups)}`);
  terminal.out(words.step3);
  terminal.out(`${words.service}: ${mark(service)}`);
  if (silent !== "") terminal.err(silent);
  for (const { path, tap, group, service } of findings) {
    const what = [[path.tap, tap], [path.group, group], [path.id, service]] as const;
    for (const [name, { ok, why }] of what) if (!ok) terminal.err(`${name}: ${why}`);
  }
  return groups && service && findings.every(({ tap }) => tap.ok);
}

function testImage({ findings }: Report): JsonObject {
  const ok = findings.every(({ tap, group, service }) => tap.ok && group.ok && service.ok);
  return {
    ok,
    paths: Object.fromEntries(findings.map(({ path, tap, group, service }) => [path.id, {
      tap: { name: path.tap, ...tap },
      group: { address: path.group, ...group },
      service: { ...service },
    }])),
  };
}

function writeInterfaces({ findings, words, terminal, silent }: Report): boolean {
  terminal.out(words.interfaces);
  for (const { path, state } of findings) {
    const parts = state === undefined ? [words.none] : [
      state.up ? words.up : words.down,
      state.carrier ? words.carrier : words.noCarrier,
      `MTU ${state.mtu}`,
      state.mac,
      ...(state.address === 0 ? [] : [formatIpv4(state.address)]),
    ];
    terminal.out(`${path.tap}: ${parts.join(words.separator)}`);
  }
  if (silent !== "") terminal.err(silent);
  for (const { path, tap } of findings) if (!tap.ok) terminal.err(`${path.tap}: ${tap.why}`);
  return findings.every(({ tap }) => tap.ok);
}

function interfacesImage({ findings }: Report): JsonObject {
  return {
    ok: findings.every(({ tap }) => tap.ok),
    interfaces: Object.fromEntries(findings.map(({ path, tap, state }) => [path.tap, {
      ok: tap.ok,
      why: tap.why,
      exists: state !== undefined,
      ...(state === undefined ? {} : { ...state, address: formatIpv4(state.address) }),
    }])),
  };
}

function writeMulticast({ findings, words, terminal, silent }: Report): boolean {
  terminal.out(words.memberships);
  for (const [index, { path, group }] of findings.entries()) {
    const line = group.ok ? words.joined : words.missing;
    terminal.out(line(words.rank(index), path.group));
  }
  if (silent !== "") terminal.err(silent);
  for (const { path, group } of findings) {
    if (!group.ok) terminal.err(`${path.group}: ${group.why}`);
  }
  return findings.every(({ group }) => group.ok);
}

function multicastImage({ findings }: Report): JsonObject {
  return {
    ok: findings.every(({ group }) => group.ok),
    groups: Object.fromEntries(findings.map(({ path, group, membership }) => [path.group, {
      ok: group.ok,
      why: group.why,
      path: path.id,
      port: path.port,
      interface: membership?.interface ?? path.via ?? null,
      igmp: membership?.version ?? null,
      users: membership?.users ?? 0,
    }])),
  };
}

function writeStats({ findings, words, terminal, silent }: Report): boolean {
  if (silent !== "") {
    terminal.err(silent);
    return false;
  }
  const head = words.heads.map((title, index) => ({
    title,
    align: index >= 3 && index <= 5 ? "right" as const : "left" as const,
  }));
  const rows = findings.map(({ path }) => {
    const counters = path.told?.counters ?? {};
    const drops = Object.entries(dropsOf(counters)).map(([reason, count]) => `${reason} ${count}`);
    return [
      path.id.slice(MODULE.length + 1) || path.id,
      path.tap,
      path.told?.state ?? "",
      String(counters.frames_out ?? 0),
      String(counters.frames_in ?? 0),
      String(counters.dropped ?? 0),
      drops.join(", "),
    ];
  });
  for (const line of table(head, rows)) terminal.out(line);
  return true;
}

function statsImage({ findings, silent }: Report): JsonObject {
  if (silent !== "") return { ok: false, why: silent };
  return {
    ok: true,
    paths: Object.fromEntries(findings.map(({ path }) => [path.id, {
      tap: path.tap,
      group: `${path.group}:${path.port}`,
      state: path.told?.state ?? "",
      restarts: path.told?.restarts ?? 0,
      counters: path.told?.counters ?? {},
      drops: dropsOf(path.told?.counters ?? {}),
    }])),
  };
}
