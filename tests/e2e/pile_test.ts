/** The gateway of charging piles on the packed executable: TLS as seen from outside, and piles. */
import { SystemClock } from "../../src/platform/clock.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import { asdu, CAUSE, type InformationObject, TYPE } from "../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { Authority } from "../integration/certificates.ts";
import { needs } from "../needs.ts";
import { freePorts } from "../relay/busbar.ts";
import { policyFields } from "../sim/piles.ts";
import { Scada } from "../sim/scada.ts";
import { caller, until } from "./call.ts";
import { executable } from "./harness.ts";

/** A site: its folder, its ports, its configuration. */
class Site implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "busbar-pile-" });
  readonly port = freePorts(4);
  readonly config = `${this.folder}/busbar.yaml`;
  readonly call = caller("-c", this.config);
  readonly #running: Deno.ChildProcess[] = [];

  get pilePort(): number {
    return this.port + 1;
  }

  get httpPort(): number {
    return this.port + 2;
  }

  get centrePort(): number {
    return this.port + 3;
  }

  /** Certificates of the gateway and of the piles, and what the gateway's configuration says. */
  async certificates(): Promise<Record<string, string>> {
    const authority = await Authority.make(this.folder, "own");
    await authority.issue("gateway", "gateway", "DNS:gateway,IP:127.0.0.1");
    await authority.issue("pile", "pile", "DNS:pile");
    const own = `${this.folder}/own`;
    return {
      certificate: `${own}-gateway.pem`,
      key: `${own}-gateway.key`,
      authority: `${own}.pem`,
    };
  }

  configure(gateway: Record<string, unknown>): void {
    Deno.writeTextFileSync(
      this.config,
      JSON.stringify({
        control: { listen: `127.0.0.1:${this.port}` },
        points: { folder: `${this.folder}/data` },
        modules: {
          "pile_gateway": {
            listen: `127.0.0.1:${this.pilePort}`,
            piles: `${this.folder}/piles.csv`,
            ...gateway,
          },
          "iec104_slave": { occ: { listen: `127.0.0.1:${this.centrePort}`, commands: true } },
        },
      }),
    );
  }

  /** Starts a command that goes on. */
  spawn(...words: string[]): Deno.ChildProcess {
    const [program, ...args] = executable();
    const child = new Deno.Command(program!, {
      args: [...args, ...words],
      stdout: "null",
      stderr: "inherit",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#running.push(child);
    return child;
  }

  async run(): Promise<Deno.ChildProcess> {
    const child = this.spawn("run", "-c", this.config);
    await until("the gateway is up", async () => (await this.call("pile", "list")).code === 0);
    return child;
  }

  async stop(child: Deno.ChildProcess): Promise<void> {
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
    this.#running.splice(this.#running.indexOf(child), 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running.toReversed()) {
      child.kill("SIGTERM");
      await child.status;
    }
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Speaks TLS to the pile port as openssl does. @returns What it says of it. */
async function meet(site: Site, ...more: string[]): Promise<string> {
  const own = `${site.folder}/own`;
  const child = new Deno.Command("openssl", {
    args: [
      ...["s_client", "-connect", `127.0.0.1:${site.pilePort}`, "-CAfile", `${own}.pem`],
      ...more,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // Tickets come after the handshake: the gateway closes for what is no frame, and that ends it.
  await writer.write(new TextEncoder().encode("no frame of any kind\n"));
  const ended = child.output();
  const { stdout, stderr } = await ended;
  await writer.close().catch(() => {});
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return text(stdout) + text(stderr);
}

Deno.test({
  name: "The pile port speaks TLS 1.3 only, with certificates, no early data, no old tickets",
  ...needs("openssl"),
  fn: async () => {
    await using site = new Site();
    site.configure({ tls: await site.certificates() });
    Deno.writeTextFileSync(`${site.folder}/piles.csv`, "pile,signer,public_key,cipher\n");
    const first = await site.run();
    const own = `${site.folder}/own-pile`;
    const shown = ["-cert", `${own}.pem`, "-key", `${own}.key`];
    const session = `${site.folder}/session.pem`;
    const good = await meet(site, ...shown, "-sess_out", session);
    assert(/New, TLSv1\.3, Cipher is TLS_AES/.test(good), good);
    assert(/Verify return code: 0/.test(good), good);
    assert(/Server Temp Key: (X25519|ECDH)/.test(good), good);
    assert(!/Max Early Data: [1-9]/.test(good), good);
    for (const version of ["-tls1_2", "-tls1_1"]) {
      assert(/New, \(NONE\)/.test(await meet(site, ...shown, version)), version);
    }
    const stranger = await meet(site);
    assert(
      /alert (certificate required|number 116)|certificate required/i.test(stranger),
      stranger,
    );
    assert(/Reused, TLSv1\.3/.test(await meet(site, ...shown, "-sess_in", session)));
    await site.stop(first);
    const second = await site.run();
    const early = `${site.folder}/early`;
    Deno.writeTextFileSync(early, "too early\n");
    const again = await meet(site, ...shown, "-sess_in", session, "-early_data", early);
    assert(/New, TLSv1\.3/.test(again), again);
    assert(/Early data was not sent|Early data was rejected/.test(again), again);
    for (
      const [suite, taken] of [
        ["TLS_AES_128_GCM_SHA256", true],
        ["TLS_AES_256_GCM_SHA384", true],
        ["TLS_CHACHA20_POLY1305_SHA256", true],
        ["TLS_AES_128_CCM_SHA256", false],
      ] as const
    ) {
      const said = await meet(site, ...shown, "-ciphersuites", suite);
      assertEquals(said.includes(`New, TLSv1.3, Cipher is ${suite}`), taken, said);
    }
    await site.stop(second);
  },
});

function single(on: boolean): Partial<InformationObject> {
  return { kind: "single_command", on, qualifier: 0, select: false };
}

Deno.test({
  name: "With names: pile, a pile needs a certificate that bears its name",
  ...needs("openssl"),
  fn: async () => {
    await using site = new Site();
    const tls = await site.certificates();
    site.configure({ tls, names: "pile" });
    const own = new Authority(site.folder, "own");
    await own.issue("named", "whoever", "DNS:P0001");
    const sim = (role: string) => [
      ...["sim", "piles", "--connect", `127.0.0.1:${site.pilePort}`, "--count", "1"],
      ...["--prefix", "P", "--seed", "7", "--for", "4s", "--json"],
      ...["--certificate", `${site.folder}/own-${role}.pem`],
      ...["--key", `${site.folder}/own-${role}.key`, "--authority", `${site.folder}/own.pem`],
    ];
    const offline = caller();
    const register = ["--register", `${site.folder}/piles.csv`];
    assertEquals((await offline(...sim("pile"), ...register)).code, 0);
    await site.run();
    for (const [role, believed] of [["pile", false], ["named", true]] as const) {
      const { authenticated, refused } = JSON.parse((await offline(...sim(role))).out);
      assertEquals([authenticated > 0, refused > 0], [believed, !believed], role);
    }
  },
});

type Rows = Record<string, unknown>[];

async function rows(site: Site): Promise<Rows> {
  const { out } = await site.call("pile", "list", "--json");
  return out === "" ? [] : out.split("\n").map((line) => JSON.parse(line));
}

const simulated = (site: Site, port: number) => [
  ...["sim", "piles", "--connect", `127.0.0.1:${port}`, "--count", "4", "--prefix", "P"],
  ...["--seed", "7"],
  ...["--certificate", `${site.folder}/own-pile.pem`, "--key", `${site.folder}/own-pile.key`],
  ...["--authority", `${site.folder}/own.pem`],
];

for (const http of [false, true]) {
  const by = http ? "HTTP/2" : "frames";
  Deno.test({
    name: `A 104 control centre sees and commands a simulated pile, by ${by} over TLS`,
    ...needs("openssl"),
    fn: async () => {
      await using site = new Site();
      const tls = await site.certificates();
      site.configure({ tls, http: `127.0.0.1:${site.httpPort}` });
      const piles = simulated(site, http ? site.httpPort : site.pilePort);
      const register = `${site.folder}/piles.csv`;
      const offline = caller();
      assertEquals((await offline(...piles, "--register", register)).code, 0);
      const made = await site.call("pile", "points", "--register", register);
      assertEquals(made.code, 0, made.err);
      Deno.writeTextFileSync(`${site.folder}/points.csv`, `${made.out}\n`);
      const imported = await site.call("points", "import", `${site.folder}/points.csv`);
      assertEquals(imported.code, 0, imported.err);
      await site.run();
      site.spawn(...piles, ...http ? ["--http"] : []);
      await until(
        "all piles are in standby",
        async () => (await rows(site)).filter(({ state }) => state === "standby").length === 4,
      );
      const scada = (await Scada.dial(SYSTEM_NET, new SystemClock(), site.centrePort, { w: 1 }))
        .start();
      await until("data transfer runs", () => Promise.resolve(scada.link.state === "started"));
      const addressOf = (name: string) => {
        const line = made.out.split("\n").find((one) => one.includes(`piles.P0002.${name},`))!;
        const columns = made.out.split("\n")[0]!.split(",");
        return Number(line.split(",")[columns.indexOf("ioa")]);
      };
      const command = async (name: string, object: Partial<InformationObject>, type: number) => {
        const confirmed = () =>
          scada.heard.filter(({ cause, commonAddress, type: one }) =>
            cause === CAUSE.activationTermination && commonAddress === 1 && one === type
          ).length;
        const before = confirmed();
        const address = addressOf(name);
        scada.send(asdu({
          type,
          cause: CAUSE.activation,
          commonAddress: 1,
          objects: [{ address, ...object } as InformationObject],
        }));
        await until(`${name} was done`, () => Promise.resolve(confirmed() > before));
      };
      const on = single(true);
      const off = single(false);
      await command("charge", on, TYPE.C_SC_NA_1);
      const closed = addressOf("closed");
      const seen = (value: boolean) =>
        scada.values().filter((one) => one === `30 1 ${closed} ${value}`).length;
      await until("the relay is closed", () => Promise.resolve(seen(true) > 0));
      await until(
        "it charges",
        async () =>
          (await rows(site)).some(({ pile, state, power }) =>
            pile === "P0002" && state === "charging" && Number(power) > 0
          ),
      );
      await command("charge", off, TYPE.C_SC_NA_1);
      await until("the relay is open", () => Promise.resolve(seen(false) > 0));
      const others = (await rows(site)).filter(({ pile }) => pile !== "P0002");
      assert(others.every(({ state }) => state === "standby"), JSON.stringify(others));
      const audit = await site.call("points", "audit", "--json");
      assert(audit.out.includes("piles.P0002.charge"), audit.out);
      assertEquals((await site.call("pile", "start", "P0001")).code, 0);
      assertEquals((await site.call("pile", "stop", "P0001")).code, 0);
      scada.drop();
    },
  });
}

Deno.test({
  name: "Policies and firmware go to piles; who forges or replays is never believed",
  fn: async () => {
    await using site = new Site();
    const offline = caller();
    const { folder } = site;
    const made = await offline("pile", "key", `${folder}/maker.key`);
    assertEquals(made.code, 0, made.err);
    const [maker] = /04[0-9a-f]{128}/.exec(made.out)!;
    site.configure({
      policy: `${folder}/policy.json`,
      "policy_key": maker,
      image: `${folder}/image`,
    });
    const connect = ["--connect", `127.0.0.1:${site.pilePort}`, "--seed", "3"];
    const piles = (prefix: string, count: number, ...more: string[]) => [
      ...["sim", "piles", ...connect, "--prefix", prefix, "--count", `${count}`],
      ...["--policy_key", maker, ...more],
    ];
    const register = `${folder}/piles.csv`;
    const kinds = ["good", "forged", "replay", "upgrade"] as const;
    const parts: string[] = [];
    for (const [at, kind] of kinds.entries()) {
      assertEquals((await offline(...piles(kind, 3, "--register", register))).code, 0);
      const [head, ...rest] = Deno.readTextFileSync(register).trim().split("\n");
      parts.push(...at === 0 ? [head!] : [], ...rest);
    }
    Deno.writeTextFileSync(register, `${parts.join("\n")}\n`);
    await site.run();
    site.spawn(...piles("good", 3));
    site.spawn(...piles("upgrade", 3, "--behaviour", "upgrade"));
    // Those that replay break off after 20 s at the latest, and then have an old proof to send.
    const bad = Promise.all(
      (["forged", "replay"] as const).map((kind) =>
        offline(...piles(kind, 3, "--behaviour", kind, "--for", "24s", "--json"))
      ),
    );
    const fits = (prefix: string, count: number, one: (row: Rows[number]) => boolean) => async () =>
      (await rows(site)).filter((row) => `${row.pile}`.startsWith(prefix) && one(row)).length ===
        count;
    await until("good piles are there", fits("good", 3, ({ online }) => online === true));
    // A policy: signed, given, and distributed.
    Deno.writeTextFileSync(`${folder}/plain.json`, JSON.stringify(policyFields(4)));
    const signed = await offline(
      ...["pile", "sign-policy", `${folder}/plain.json`, "--key", `${folder}/maker.key`],
    );
    assertEquals(signed.code, 0, signed.err);
    Deno.writeTextFileSync(`${folder}/signed.json`, signed.out);
    const given = await site.call("pile", "policy", `${folder}/signed.json`);
    assertEquals(given.code, 0, given.err);
    await until("good piles have it", fits("good", 3, ({ policy }) => policy === 4));
    // Firmware: offered, taken piece by piece, run.
    const payload = Uint8Array.from({ length: 100_000 }, (_, at) => at * 13 & 0xff);
    Deno.writeFileSync(`${folder}/payload`, payload);
    const image = await offline(
      ...["pile", "sign-image", `${folder}/payload`, `${folder}/image`],
      ...["--key", `${folder}/maker.key`, "--version", "9.1.0", "--hardware", "busbar-sim"],
    );
    assertEquals(image.code, 0, image.err);
    const [before] = (await rows(site)).filter(({ pile }) => pile === "good0001");
    for (const pile of ["good0001", "upgrade0001"]) {
      const upgraded = await site.call("pile", "upgrade", pile);
      assertEquals(upgraded.code, 0, upgraded.err);
    }
    await until(
      "it runs the new firmware",
      fits("good0001", 1, ({ version, state }) => version === "9.1.0" && state === "standby"),
    );
    await until(
      "the one whose new firmware does not start runs the old one",
      fits(
        "upgrade0001",
        1,
        ({ version, state, upgrading }) =>
          version === before!.version && state === "standby" && upgrading === false,
      ),
    );
    for (const [at, { out }] of (await bad).entries()) {
      const report = JSON.parse(out);
      assertEquals(report.believed, 0, out);
      assert(report.refused > 0, out);
      if (at === 0) assertEquals(report.authenticated, 0, out);
    }
    const forged = (await rows(site)).filter(({ pile }) => `${pile}`.startsWith("forged"));
    assert(forged.every(({ online, heard }) => online === false && heard === null));
  },
});
