/** The front end's TLS with real sockets and real certificates: IEC 62351-3, both directions. */
import { LinkDownError } from "../../src/base/errors.ts";
import { type Millis, seconds } from "../../src/base/time.ts";
import { MUTUAL_TLS, readMutualTls } from "../../src/kernel/tls_config.ts";
import { SystemClock } from "../../src/platform/clock.ts";
import { SYSTEM_FILES } from "../../src/platform/files.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import type { TlsVersion } from "../../src/platform/ports.ts";
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";
import { Authority } from "./certificates.ts";

const WITHIN: Millis = seconds(10);

interface Side {
  readonly of?: "own" | "other";
  readonly peers?: readonly string[];
  readonly least?: TlsVersion;
}

/** Connects both ends. @returns What each of them says of it. */
async function meet(folder: string, server: Side, client: Side, host = "127.0.0.1") {
  const identity = async (name: string, { of = "own", peers, least }: Side) => {
    const config = MUTUAL_TLS.parse({
      certificate: `${folder}/${of}-${name}.pem`,
      key: `${folder}/${of}-${name}.key`,
      authority: `${folder}/own.pem`,
      ...(peers ? { peers } : {}),
      ...(least ? { least } : {}),
    });
    return await readMutualTls(SYSTEM_FILES, config);
  };
  const { trust: clients, ...own } = await identity("server", server);
  const why: string[] = [];
  await using listener = await SYSTEM_NET.listen({ host, port: 0 }, {
    ...own,
    clients,
    refused: (text) => why.push(text),
  });
  const accepted = listener[Symbol.asyncIterator]().next();
  accepted.catch(() => {});
  const { trust, ...shown } = await identity("client", client);
  const signal = AbortSignal.timeout(WITHIN);
  let end = "connected";
  try {
    await using conn = await SYSTEM_NET.dial(listener.local, signal, { ...shown, server: trust });
    // With TLS 1.3 the client has finished before the server has looked at its certificate.
    await conn.write(Uint8Array.of(1));
    const answered = await Promise.race([accepted, conn.read().then(() => undefined)]);
    if (answered?.done === false) {
      const octets = await answered.value.conn.read();
      await answered.value.conn[Symbol.asyncDispose]();
      if (octets?.[0] !== 1) end = "nothing came";
    } else end = "refused by the server";
  } catch (error) {
    if (!(error instanceof LinkDownError)) throw error;
    const cause = String(error.detail.cause);
    end = /alert|ended|reset/i.test(cause) ? "refused by the server" : cause;
  }
  return { end, why };
}

Deno.test({
  name: "Both ends of a telecontrol connection show certificates, and believe only their authority",
  ...needs("openssl"),
  fn: async () => {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-tls-" });
    try {
      for (const name of ["own", "other"] as const) {
        const authority = await Authority.make(folder, name);
        await authority.issue("server", "rtu-1", "DNS:rtu-1,IP:127.0.0.1");
        await authority.issue("client", "fep-1", "DNS:fep-1");
      }
      assertEquals(await meet(folder, {}, {}), { end: "connected", why: [] });
      const stranger = await meet(folder, {}, { of: "other" });
      assertEquals([stranger.end, stranger.why.length], ["refused by the server", 1]);
      assert((await meet(folder, { of: "other" }, {})).end.includes("certificate"));
      // The name dialled is not in the certificate; a named peer is taken all the same.
      const elsewhere = await meet(folder, {}, {}, "127.0.0.2");
      assert(elsewhere.end.includes("127.0.0.2"), elsewhere.end);
      assertEquals((await meet(folder, {}, { peers: ["rtu-1"] }, "127.0.0.2")).end, "connected");
      const wrong = await meet(folder, {}, { peers: ["rtu-2"] });
      assert(wrong.end.includes("rtu-1 is none of the peers"), wrong.end);
      assertEquals((await meet(folder, { peers: ["FEP-1"] }, {})).end, "connected");
      const unwanted = await meet(folder, { peers: ["fep-2"] }, {});
      assertEquals(unwanted, {
        end: "refused by the server",
        why: ["certificate of fep-1 is none of the peers"],
      });
      const print = await Authority.fingerprint(`${folder}/own-client.pem`);
      assertEquals((await meet(folder, { peers: [print] }, {})).end, "connected");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "A peer that speaks TLS 1.2 is taken, unless 1.3 is the least; plain TCP never is",
  ...needs("openssl"),
  fn: async () => {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-tls-" });
    try {
      const authority = await Authority.make(folder, "own");
      await authority.issue("server", "rtu-1", "DNS:rtu-1,IP:127.0.0.1");
      await authority.issue("client", "fep-1", "DNS:fep-1");
      for (
        const [least, version, good] of [["1.2", "-tls1_2", true], [
          "1.3",
          "-tls1_2",
          false,
        ]] as const
      ) {
        const config = MUTUAL_TLS.parse({
          certificate: `${folder}/own-server.pem`,
          key: `${folder}/own-server.key`,
          authority: `${folder}/own.pem`,
          least,
        });
        const { trust: clients, ...own } = await readMutualTls(SYSTEM_FILES, config);
        const refused = Promise.withResolvers<string>();
        await using listener = await SYSTEM_NET.listen({ host: "127.0.0.1", port: 0 }, {
          ...own,
          clients,
          refused: refused.resolve,
        });
        const accepted = listener[Symbol.asyncIterator]().next().then(() => "connected");
        const peer = new Deno.Command("openssl", {
          args: [
            ...["s_client", "-connect", `127.0.0.1:${listener.local.port}`, version, "-quiet"],
            ...["-cert", `${folder}/own-client.pem`, "-key", `${folder}/own-client.key`],
          ],
          stdin: "piped",
          stdout: "null",
          stderr: "null",
        }).spawn();
        const end = await Promise.race([accepted, refused.promise]);
        assertEquals(end === "connected", good, `${least}: ${end}`);
        await peer.stdin.close().catch(() => {});
        peer.kill("SIGKILL");
        await peer.status;
        const clock = new SystemClock();
        const plain = await SYSTEM_NET.dial(listener.local, AbortSignal.timeout(WITHIN));
        await plain.write(Uint8Array.of(0x68, 4, 7, 0, 0, 0));
        const before = clock.now();
        const answer = await plain.read().catch(() => undefined);
        // An alert, or nothing: never a STARTDT con.
        assert(
          answer === undefined || answer[0] === 0x15,
          `${answer} after ${clock.now() - before}`,
        );
        await plain[Symbol.asyncDispose]();
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("A file that is no PEM file is told by its name", async () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, "nothing");
    const config = MUTUAL_TLS.parse({ certificate: path, key: path, authority: path });
    const error = await readMutualTls(SYSTEM_FILES, config).catch((error) => error);
    assertEquals(error.message, `tls.certificate: ${path} is no PEM file`);
  } finally {
    Deno.removeSync(path);
  }
});
