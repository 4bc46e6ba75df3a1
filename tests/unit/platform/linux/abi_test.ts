/** The numbers in src/platform/linux against those of the system's headers, on both machines. */
import { FAULT } from "../../../../src/platform/hot.ts";
import { errnoName } from "../../../../src/platform/linux/errno.ts";
import { LinuxBatch } from "../../../../src/platform/linux/mmsg.ts";
import { nothingFilter, stationFilter } from "../../../../src/platform/linux/packet_filter.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { needs } from "../../../needs.ts";
import aarch64 from "../../../vectors/abi/aarch64.json" with { type: "json" };
import x86 from "../../../vectors/abi/x86_64.json" with { type: "json" };

/** Errors that have a name in errno.ts only, found by their number. */
const NAMED_BY_NUMBER = /^E[A-Z0-9]+$/;
const ROOT = new URL("../../../../", import.meta.url).pathname;
const FOLDER = `${ROOT}src/platform/linux`;

/** Numbers that the code has in place, not under a name of its own or in a table. */
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
  "sock_filter.code": 0,
  "sock_filter.jt": 2,
  "sock_filter.jf": 3,
  "sock_filter.k": 4,
};

const SOURCES = [...Deno.readDirSync(FOLDER)].map(({ name }) =>
  Deno.readTextFileSync(`${FOLDER}/${name}`)
);

/** The tables of structures in the comments: `sizeof(iovec)` and `iovec.len`. */
function tabled(): Map<string, number> {
  const found = new Map<string, number>();
  for (const text of SOURCES) {
    for (const [, struct, size, fields] of text.matchAll(/^ \* \| (\w+) \| (\d+) \| (.+) \|$/gm)) {
      found.set(`sizeof(${struct})`, Number(size));
      for (const field of fields!.split(", ")) {
        const words = field.split(" ");
        found.set(`${struct}.${words[0]}`, Number(words.at(-1)));
      }
    }
  }
  return found;
}

/** Every `NAME = number`, `NAME: number` and `NAME: [LEVEL, number]` of the code. */
function named(): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const number = String
    .raw`((?:0o[0-7]+|0x[0-9a-f_]+|\d[\d_]*)(?:(?: \| )(?:0o[0-7]+|0x[0-9a-f_]+|\d+))*)`;
  const pattern = new RegExp(
    String.raw`\b([A-Za-z_]+)(?: = |: )(?:\[\w+, )?${number}(?:[;,\]]| \})`,
    "gi",
  );
  for (const source of SOURCES) {
    for (const [, key, text] of source.matchAll(pattern)) {
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
  const tables = tabled();
  const wrong: string[] = [];
  for (const [name, value] of Object.entries(x86)) {
    if (name.startsWith("SYS_")) continue;
    const table = tables.get(name);
    const ours = name in STATED
      ? [STATED[name]!]
      : table !== undefined
      ? [table]
      : NAMED_BY_NUMBER.test(name) && !code.has(name)
      ? [errnoName(value) === name ? value : -1]
      : code.get(name) ?? [];
    if (ours.length === 0 || ours.some((one) => one !== value)) {
      wrong.push(`${name}: ${value} in the headers, ${ours.join(", ") || "nothing"} in the code`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("Every structure of the tables in the code is recorded", () => {
  const unknown = [...tabled().keys()].filter((name) => !(name in x86));
  assertEquals(unknown, []);
});

Deno.test("Faults of the byte plane are the errors of the kernel", () => {
  const errors: Record<keyof typeof FAULT, number> = {
    again: x86.EAGAIN,
    interrupted: x86.EINTR,
    notPermitted: x86.EPERM,
    down: x86.EIO,
    gone: x86.EBADFD,
    tooBig: x86.EMSGSIZE,
    noBuffers: x86.ENOBUFS,
    netDown: x86.ENETDOWN,
    unreachable: x86.ENETUNREACH,
    invalid: x86.EINVAL,
  };
  assertEquals({ ...FAULT }, errors as typeof FAULT);
  assertEquals(errnoName(4095), "errno 4095");
});

Deno.test("A batch has its structures where the kernel looks for them", () => {
  const batch = new LinuxBatch(3, 64, 8);
  const headers = new DataView(batch.headers.buffer);
  const pointerTo = (address: bigint) =>
    new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!);
  const octets = Deno.UnsafePointer.value(Deno.UnsafePointer.of(batch.octets));
  batch.armReceive(true);
  assertEquals(batch.headers.length, 3 * x86["sizeof(mmsghdr)"]);
  for (let slot = 0; slot < 3; slot += 1) {
    const at = slot * x86["sizeof(mmsghdr)"];
    assertEquals(headers.getUint32(at + x86["msghdr.namelen"], true), x86["sizeof(sockaddr_in)"]);
    assertEquals(headers.getBigUint64(at + x86["msghdr.iovlen"], true), 1n);
    assertEquals(headers.getBigUint64(at + x86["msghdr.controllen"], true), 0n);
    const vector = pointerTo(headers.getBigUint64(at + x86["msghdr.iov"], true));
    assertEquals(vector.getBigUint64(x86["iovec.base"]), octets + BigInt(slot * 64 + 8));
    assertEquals(vector.getBigUint64(x86["iovec.len"]), 56n);
    // What the kernel would write for a datagram from 10.0.0.<slot>, the last one cut.
    const name = headers.getBigUint64(at + x86["msghdr.name"], true);
    const address = Deno.UnsafePointerView.getArrayBuffer(
      Deno.UnsafePointer.create(name)!,
      x86["sizeof(sockaddr_in)"],
    );
    new DataView(address).setUint32(x86["sockaddr_in.address"], 0x0a00_0000 + slot);
    headers.setUint32(at + x86["mmsghdr.msg_len"], 20 + slot, true);
    headers.setUint32(at + x86["msghdr.flags"], slot === 2 ? x86.MSG_TRUNC : 0, true);
  }
  batch.received(3, true);
  assertEquals([...batch.length], [20, 21, 65]);
  assertEquals([...batch.source], [0x0a00_0000, 0x0a00_0001, 0x0a00_0002]);
});

Deno.test("Filters are instructions as the kernel reads them", () => {
  for (const program of [stationFilter(), nothingFilter()]) {
    assertEquals(program.length % x86.INSTRUCTION_SIZE, 0);
    const view = new DataView(program.buffer);
    const count = program.length / x86.INSTRUCTION_SIZE;
    const known: number[] = [x86.LOAD_WORD, x86.LOAD_HALF, x86.AND, x86.JUMP_EQUAL, x86.RETURN];
    for (let index = 0; index < count; index += 1) {
      const at = index * x86.INSTRUCTION_SIZE;
      const code = view.getUint16(at + x86["sock_filter.code"], true);
      const far = view.getUint8(at + x86["sock_filter.jt"]);
      assert(known.includes(code));
      const jumps = code === x86.JUMP_EQUAL;
      assert(jumps ? index + 1 + far < count : far === 0, "a jump leaves the program");
      assertEquals(view.getUint8(at + x86["sock_filter.jf"]), 0);
    }
    const last = (count - 1) * x86.INSTRUCTION_SIZE;
    assertEquals(view.getUint16(last + x86["sock_filter.code"], true), x86.RETURN);
  }
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
