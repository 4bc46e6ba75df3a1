// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * `deno task bench --piles [--rounds 3]`: the packed gateway with 500 simulated piles over TLS on
 * loopback, each reporting at 1 Hz: how long each took to be believed, processor time, memory for
 * each session; then the same piles all at once after the gateway was away. Beside it sealed
 * commands of 1 KiB, with SM4-GCM and with AES-GCM, against what the source gives for its chip and
 * against the same sealing without frames by the runtime's AES-128-GCM.
 *
 * Needs the executable, and openssl.
 * @module
 */
import { createCipheriv } from "node:crypto";
import { systemCryptography } from "../../src/app/crypto_candidates.ts";
import {
  type Cipher,
  FrameReader,
  openSession,
  type Session,
} from "../../src/protocol/cip22/mod.ts";
import { executable } from "../e2e/harness.ts";
import { caller } from "../e2e/call.ts";
import { Authority } from "../integration/certificates.ts";
import { freePorts } from "../relay/busbar.ts";
import { memoryOf, processTime } from "./process.ts";
import { median } from "./stats.ts";
import { delay } from "./tools.ts";

const PILES = 500;
const STEADY_SECONDS = 20;
/** Over what time piles come one after the other. */
const RAMP_SECONDS = 25;
const COMMANDS = 20_000;
const KIB = 1024;
/** Sessions whose memory is measured: of fewer it is lost in the noise. */
const HELD = 5000;
/** What the source tells of its gateway, in milliseconds. */
const OLD_LATENCY = 86;

interface Shown {
  readonly sessions: number;
  readonly "auth_ms": { readonly count: number; readonly p50: number; readonly p99: number };
}

/** Runs it. */
export async function piles(rounds: number): Promise<void> {
  console.log("\nSealed commands of 1 KiB, sealed and opened, medians of rounds");
  for (const cipher of ["sm4-gcm", "aes-gcm"] as const) {
    const all = Array.from({ length: rounds }, () => sealed(cipher));
    const plain = Array.from({ length: rounds }, () => plainAes());
    const rate = median(all.map(({ rate }) => rate));
    const octets = median(all.map(({ octets }) => octets));
    const ratio = median(all.map((one, round) => one.rate / plain[round]!));
    console.log(
      `${cipher.padEnd(8)} ${rate.toFixed(1)} MB/s sealed and opened (the source's chip: ` +
        `${cipher === "sm4-gcm" ? "SM4-CBC 4.2" : "AES-GCM 3.7"}), ratio to AES-128-GCM of the ` +
        `runtime without frames ${ratio.toFixed(2)}, ${(octets / KIB).toFixed(1)} KiB a session`,
    );
  }
  for (const signer of ["sm2", "secp256k1"] as const) await site(signer);
}

/** MB/s of a sealer and an opener together, and the resident octets of a session. */
function sealed(cipher: Cipher): { readonly rate: number; readonly octets: number } {
  const tools = systemCryptography();
  const open = (role: "pile" | "gateway"): Session =>
    openSession(
      { cipher, secret: new Uint8Array(32).fill(7), sessionId: new Uint8Array(16).fill(9) },
      role,
      (name, key) => tools.get(name === "sm4-gcm" ? "sm4-gcm" : "aes-128-gcm")(key),
    );
  const gateway = open("gateway");
  const pile = open("pile");
  const reader = new FrameReader({ crc: "itu" });
  const text = new Uint8Array(KIB).fill(0x5a);
  const run = (count: number) => {
    for (let turn = 0; turn < count; turn += 1) {
      reader.feed(gateway.sealer.seal(0x10, text), 0 as never);
      const opened = pile.opener.open(reader.next(0 as never)!);
      if (typeof opened === "string") throw new Error(opened);
    }
  };
  run(1000);
  const start = performance.now();
  run(COMMANDS);
  const rate = COMMANDS * KIB / 1000 / (performance.now() - start);
  collect();
  const before = Deno.memoryUsage().rss;
  const held = Array.from({ length: HELD }, () => open("gateway"));
  collect();
  const octets = (Deno.memoryUsage().rss - before) / HELD;
  for (const { sealer, opener } of held) {
    sealer.aead[Symbol.dispose]();
    opener.aead[Symbol.dispose]();
  }
  return { rate, octets };
}

/** What nobody holds any more is not counted. */
function collect(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** MB/s of the runtime's AES-128-GCM, sealed twice, which is what sealing and opening cost. */
function plainAes(): number {
  const text = new Uint8Array(KIB).fill(0x5a);
  const key = new Uint8Array(16).fill(1);
  const nonce = new Uint8Array(12);
  const start = performance.now();
  for (let turn = 0; turn < 2 * COMMANDS; turn += 1) {
    nonce[0] = turn;
    const cipher = createCipheriv("aes-128-gcm", key, nonce);
    cipher.update(text);
    cipher.final();
    cipher.getAuthTag();
  }
  return COMMANDS * KIB / 1000 / (performance.now() - start);
}

/** A gateway with many piles. */
async function site(signer: "sm2" | "secp256k1"): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-bench-" });
  const port = freePorts(2);
  const config = `${folder}/busbar.yaml`;
  const authority = await Authority.make(folder, "own");
  await authority.issue("gateway", "gateway", "DNS:gateway,IP:127.0.0.1");
  await authority.issue("pile", "pile", "DNS:pile");
  const own = `${folder}/own`;
  const tls = {
    certificate: `${own}-gateway.pem`,
    key: `${own}-gateway.key`,
    authority: `${own}.pem`,
  };
  Deno.writeTextFileSync(
    config,
    JSON.stringify({
      control: { listen: `127.0.0.1:${port}` },
      points: { folder: `${folder}/data` },
      log: { level: "warn" },
      modules: {
        "pile_gateway": { listen: `127.0.0.1:${port + 1}`, tls, piles: `${folder}/piles.csv` },
      },
    }),
  );
  const words = [
    ...["sim", "piles", "--connect", `127.0.0.1:${port + 1}`, "--count", `${PILES}`],
    ...["--signer", signer, "--seed", "11", "--every", "1s"],
    ...[
      "--certificate",
      `${own}-pile.pem`,
      "--key",
      `${own}-pile.key`,
      "--authority",
      `${own}.pem`,
    ],
  ];
  const call = caller();
  const made = await call(...words, "--register", `${folder}/piles.csv`);
  if (made.code !== 0) throw new Error(made.err);
  const [program, ...args] = executable();
  const start = (...more: string[]) =>
    new Deno.Command(program!, { args: [...args, ...more], stdout: "null", stderr: "inherit" })
      .spawn();
  let gateway = start("run", "-c", config);
  const shown = async (): Promise<Shown | undefined> => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/piles`);
      return await answer.json();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return undefined;
    }
  };
  const until = async (fits: (now: Shown) => boolean) => {
    for (;;) {
      const now = await shown();
      if (now && fits(now)) return now;
      await delay(100);
    }
  };
  await until(({ sessions }) => sessions === 0);
  const empty = memoryOf(gateway.pid);
  const sim = start(...words, "--ramp", `${RAMP_SECONDS}s`);
  const full = await until((now) => now.sessions >= PILES && now.auth_ms.count >= PILES);
  await delay(5000);
  const used = processTime([gateway.pid]);
  const usedBySim = processTime([sim.pid]);
  await delay(STEADY_SECONDS * 1000);
  const core = (processTime([gateway.pid]) - used) / 1e9 / STEADY_SECONDS;
  const coreSim = (processTime([sim.pid]) - usedBySim) / 1e9 / STEADY_SECONDS;
  const memory = memoryOf(gateway.pid);
  const { p50, p99 } = full.auth_ms;
  console.log(`\n${PILES} piles that sign with ${signer}, over TLS, on loopback`);
  console.log(
    `believed, ${
      PILES / RAMP_SECONDS
    } a second           p50 ${p50} ms, p99 ${p99} ms (old figure ${OLD_LATENCY})`,
  );
  console.log(
    `each reporting at 1 Hz         ${core.toFixed(2)} cores, piles ${coreSim.toFixed(2)}`,
  );
  const each = (memory.rss - empty.rss) * KIB / PILES;
  console.log(
    `memory                         ${Math.round(memory.rss)} MiB (without piles ` +
      `${Math.round(empty.rss)}), ${Math.round(each)} KiB a session with its TLS`,
  );
  // The gateway goes away without a word, and comes back: all piles at once.
  gateway.kill("SIGKILL");
  await gateway.status;
  gateway = start("run", "-c", config);
  const again = performance.now();
  const back = await until((now) => now.sessions >= PILES && now.auth_ms.count >= PILES);
  console.log(
    `all at once, after a power cut ${((performance.now() - again) / 1000).toFixed(1)} s, ` +
      `p50 ${back.auth_ms.p50} ms, p99 ${back.auth_ms.p99} ms`,
  );
  for (const child of [sim, gateway]) {
    child.kill("SIGTERM");
    await child.status;
  }
  Deno.removeSync(folder, { recursive: true });
}
