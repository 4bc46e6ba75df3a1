/** The numbers in src/platform/linux against those of the system's headers, on both machines. */
import { assert, assertEquals } from "../../../assert.ts";
import { needs } from "../../../needs.ts";
import aarch64 from "../../../vectors/abi/aarch64.json" with { type: "json" };
import x86 from "../../../vectors/abi/x86_64.json" with { type: "json" };

const ROOT = new URL("../../../../", import.meta.url).pathname;
const FOLDER = `${ROOT}src/platform/linux`;

/** Numbers that the code states in a comment or in place, not under a name of its own. */
const STATED: Readonly<Record<string, number>> = {
  "msg_len": 56,
  "msg_namelen": 8,
  "msg_iov": 16,
  "msg_iovlen": 24,
  "msg_control": 32,
  "msg_controllen": 40,
  "msg_flags": 48,
  "iov_len": 8,
  "sin_port": 2,
  "sin_addr": 4,
  "pollfd": 8,
  "pollfd_events": 4,
  "pollfd_revents": 6,
  "ip_mreqn": 12,
  "imr_ifindex": 8,
};

/** Every `NAME = number`, `NAME: number` and `NAME: [LEVEL, number]` of the code. */
function named(): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const number = String
    .raw`((?:0o[0-7]+|0x[0-9a-f_]+|\d[\d_]*)(?:(?: \| )(?:0o[0-7]+|0x[0-9a-f_]+|\d+))*)`;
  const pattern = new RegExp(
    String.raw`\b([A-Za-z_]+)(?: = |: )(?:\[\w+, )?${number}(?:[;,\]]| \})`,
    "gi",
  );
  for (const { name } of Deno.readDirSync(FOLDER)) {
    for (const [, key, text] of Deno.readTextFileSync(`${FOLDER}/${name}`).matchAll(pattern)) {
      const value = text!.replaceAll("_", "").split(" | ").reduce(
        (sum, part) => sum | Number(part),
        0,
      );
      found.set(key!, [...found.get(key!) ?? [], value >>> 0]);
    }
  }
  return found;
}

Deno.test("Layouts and numbers are the same on x86-64 and ARM64, but for system calls", () => {
  const differ = Object.entries(x86).filter(([name, value]) =>
    aarch64[name as keyof typeof aarch64] !== value
  );
  assertEquals(differ.map(([name]) => name), ["SYS_gettid", "SYS_tgkill"]);
});

Deno.test("Every number of the headers is the one that the code has", () => {
  const code = named();
  const wrong: string[] = [];
  for (const [name, value] of Object.entries(x86)) {
    if (name.startsWith("SYS_")) continue;
    const ours = name in STATED ? [STATED[name]!] : code.get(name) ?? [];
    if (ours.length === 0 || ours.some((one) => one !== value)) {
      wrong.push(`${name}: ${value} in the headers, ${ours.join(", ") || "nothing"} in the code`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("System calls are told apart by machine", () => {
  const text = Deno.readTextFileSync(`${FOLDER}/thread.ts`);
  for (const { SYS_gettid: gettid, SYS_tgkill: tgkill } of [x86, aarch64]) {
    assert(text.includes(`{ gettid: ${gettid}n, tgkill: ${tgkill}n }`));
  }
});

Deno.test({
  name: "The record of this machine is what its headers say",
  ...needs("gcc"),
  fn() {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-abi-" });
    try {
      const program = `${folder}/abi`;
      const args = ["-o", program, `${ROOT}tests/vectors/abi/abi.c`];
      assert(new Deno.Command("gcc", { args }).outputSync().success);
      const { stdout } = new Deno.Command(program).outputSync();
      const record = Deno.build.arch === "aarch64" ? aarch64 : x86;
      assertEquals(JSON.parse(new TextDecoder().decode(stdout)), record);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
