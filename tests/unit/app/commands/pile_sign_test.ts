import { runCli } from "../../../../src/app/cli.ts";
import { pileSignCommands } from "../../../../src/app/commands/pile_sign.ts";
import { type PileKey, readPolicy } from "../../../../src/protocol/cip22/mod.ts";
import { keyOf } from "../../../../src/south/pile_gateway/register.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { policyFields } from "../../../sim/piles.ts";
import { createScreen } from "../terminals.ts";

const POLICY = policyFields(4, { id: "spring" });
const SIGNERS = ["sm2", "secp256k1"] as const;

async function call(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const { terminal, out, err } = createScreen();
  const { signal } = new AbortController();
  const code = await runCli(["pile", ...words], pileSignCommands, terminal, signal);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "busbar-pile-" });

  file(name: string): string {
    return `${this.path}/${name}`;
  }

  write(name: string, content: string | Uint8Array): string {
    const octets = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(this.file(name), octets);
    return this.file(name);
  }

  /** A new private key. @returns Its file, and the public key. */
  async key(signer: string): Promise<{ file: string; publicKey: string }> {
    const file = this.file(`${signer}.key`);
    const { code, out, err } = await call("key", file, "--signer", signer);
    assertEquals([code, err], [0, ""]);
    return { file, publicKey: out };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

Deno.test("A private key is its owner's only, is never overwritten, and its point is printed", async () => {
  using folder = new Folder();
  for (const signer of SIGNERS) {
    const { file, publicKey } = await folder.key(signer);
    const text = Deno.readTextFileSync(file);
    assert(/^[0-9a-f]{64}\n$/.test(text), text);
    assertEquals(Deno.statSync(file).mode! & 0o777, 0o600);
    assertEquals(publicKey.length, signer === "sm2" ? 130 : 66);
    assert(typeof keyOf(signer, publicKey) !== "string", publicKey);
    const again = await call("key", file, "--signer", signer);
    assertEquals(again, {
      code: 2,
      out: "",
      err: `busbar: ${file} is there already: name another file [pile.key]`,
    });
    assertEquals(Deno.readTextFileSync(file), text);
  }
  const { code, err } = await call("key", folder.file("none/a.key"));
  assertEquals(code, 1);
  assert(err.startsWith(`busbar: Cannot write ${folder.path}/none/a.key`), err);
});

Deno.test("A policy that is signed here is taken where its public key is known", async () => {
  using folder = new Folder();
  const file = folder.write("policy.json", JSON.stringify(POLICY));
  for (const signer of SIGNERS) {
    const { file: key, publicKey } = await folder.key(signer);
    const signed = await call("sign-policy", file, "--key", key, "--signer", signer);
    assertEquals([signed.code, signed.err], [0, ""]);
    const read = readPolicy(signed.out, keyOf(signer, publicKey) as PileKey);
    assert("policy" in read, JSON.stringify(read));
    assertEquals([read.policy.id, read.policy.version], ["spring", 4]);
  }
});

Deno.test("A policy or a key that is wrong is told with what to do, and nothing is printed", async () => {
  using folder = new Folder();
  const policy = folder.write("policy.json", JSON.stringify(POLICY));
  const wrong = folder.write("wrong.json", JSON.stringify({ ...POLICY, version: 0 }));
  const { file: key } = await folder.key("sm2");
  const text = folder.write("text.key", "secret\n");
  const zero = folder.write("zero.key", "00".repeat(32));
  const long = folder.write("long.key", "00".repeat(4096));
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [[policy], 2, "--key is missing"],
    [[wrong, "--key", key], 2, `${wrong}: policy.version`],
    [[policy, "--key", text], 2, "text.key has no 32 octets in hexadecimal"],
    [[policy, "--key", zero], 2, "zero.key has no private key of sm2"],
    [[policy, "--key", zero, "--signer", "secp256k1"], 2, "has no private key of secp256k1"],
    [[policy, "--key", long], 1, "it is longer than 4096 octets"],
    [[policy, "--key", folder.file("none.key")], 1, "Cannot read"],
    [[folder.file("none.json"), "--key", key], 1, "Cannot read"],
  ];
  for (const [words, expected, part] of cases) {
    const { code, out, err } = await call("sign-policy", ...words);
    assertEquals([code, out], [expected, ""], part);
    assert(err.split("\n")[0]!.includes(part), err);
  }
});

Deno.test("An image that is signed here is shown, and holds", async () => {
  using folder = new Folder();
  const payload = folder.write("fw.bin", crypto.getRandomValues(new Uint8Array(5000)));
  for (const signer of SIGNERS) {
    const { file: key, publicKey } = await folder.key(signer);
    const out = folder.file("pile.bbfw");
    const named = ["--version", "1.4.0", "--hardware", "ac7", "--signer", signer];
    assertEquals(await call("sign-image", payload, out, "--key", key, ...named), {
      code: 0,
      out: `${out} was made: version 1.4.0, 5000 octets for ac7, signed with ${signer}`,
      err: "",
    });
    const shown = await call("image", out, "--public-key", publicKey, "--json");
    assertEquals(shown.code, 0);
    const { sha256: _, sm3: __, ...rest } = JSON.parse(shown.out);
    assertEquals(rest, {
      version: "1.4.0",
      hardware: "ac7",
      octets: 5000,
      signer,
      digests: true,
      signature: true,
    });
    const table = await call("image", out);
    assertEquals(table.code, 0);
    assert(/signature +not tried: give --public-key/.test(table.out), table.out);
    assert(/digests +good/.test(table.out), table.out);
  }
});

Deno.test("An image that was changed, or is of somebody else, ends with 1", async () => {
  using folder = new Folder();
  const { file: key, publicKey } = await folder.key("sm2");
  const payload = folder.write("fw.bin", new Uint8Array(100));
  const out = folder.file("pile.bbfw");
  const named = ["--version", "1.4.0", "--hardware", "ac7"];
  assertEquals((await call("sign-image", payload, out, "--key", key, ...named)).code, 0);
  const other = (await call("key", folder.file("other.key"))).out;
  const foreign = await call("image", out, "--public-key", other);
  assertEquals(foreign.code, 1);
  assert(/signature +WRONG/.test(foreign.out), foreign.out);
  const image = Deno.readFileSync(out);
  const changed = image.with(image.length - 1, 1);
  const damaged = await call("image", folder.write("a", changed), "--public-key", publicKey);
  assertEquals(damaged.code, 1);
  assert(/digests +WRONG/.test(damaged.out) && /signature +good/.test(damaged.out), damaged.out);
  const short = folder.write("b", image.subarray(0, 50));
  assertEquals(await call("image", short), {
    code: 1,
    out: "",
    err: `${short} is no image: cip22.image.short at octet 50`,
  });
});

Deno.test("What no image can be made of is told, and nothing is written", async () => {
  using folder = new Folder();
  const { file: key } = await folder.key("sm2");
  const payload = folder.write("fw.bin", new Uint8Array(100));
  const empty = folder.write("empty.bin", "");
  const out = folder.file("pile.bbfw");
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    [payload, ["--hardware", "ac7"], "--version is missing"],
    [payload, ["--version", "1.4.0"], "--hardware is missing"],
    [payload, ["--version", "1.4", "--hardware", "ac7"], "--version must be a semantic version"],
    [payload, ["--version", "1.4.0", "--hardware", ""], "--hardware must be a text of 1 to 64"],
    [empty, ["--version", "1.4.0", "--hardware", "ac7"], "empty.bin is empty"],
  ];
  for (const [from, words, part] of cases) {
    const { code, err } = await call("sign-image", from, out, "--key", key, ...words);
    assertEquals(code, 2, part);
    assert(err.split("\n")[0]!.includes(part), err);
  }
  assertEquals([...Deno.readDirSync(folder.path)].some(({ name }) => name.includes("bbfw")), false);
  const { code, err } = await call("image", payload, "--public-key", "zz");
  assertEquals([code, err.includes("cip22.image.magic")], [1, true]);
});

Deno.test("A public key that is none is told as such", async () => {
  using folder = new Folder();
  const { file: key } = await folder.key("sm2");
  const out = folder.file("pile.bbfw");
  const named = ["--version", "1.4.0", "--hardware", "ac7"];
  await call("sign-image", folder.write("fw", "octets"), out, "--key", key, ...named);
  for (
    const [hex, part] of [
      ["zz", '--public-key must be hexadecimal, not "zz"'],
      ["04", "--public-key is no point of sm2"],
    ] as const
  ) {
    const { code, err } = await call("image", out, "--public-key", hex);
    assertEquals([code, err.split("\n")[0]], [2, `busbar: ${part}`]);
  }
});
