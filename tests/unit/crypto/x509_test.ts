import fc from "fast-check";
import { der, fromPem, readDer, timeOf, toPem } from "../../../src/crypto/asn1.ts";
import {
  type Certificate,
  type Curve,
  readCertificate,
  readRevocationList,
  type RevocationList,
} from "../../../src/crypto/x509.ts";
import { CHAIN, type ChainOptions, verifyChain } from "../../../src/crypto/x509_chain.ts";
import {
  type CertificateRequest,
  issueCertificate,
  issueRevocationList,
  makeSigner,
  privateKeyOfPem,
  readPrivateKey,
  type Signer,
  writePrivateKey,
} from "../../../src/crypto/x509_issue.ts";
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 21);

function certificate(octets: Uint8Array): Certificate {
  const read = readCertificate(octets);
  assert(!("code" in read), JSON.stringify(read));
  return read;
}

function request(commonName: string, signer: Signer, more: Partial<CertificateRequest> = {}) {
  return {
    commonName,
    key: signer.publicKey,
    notBefore: NOW - DAY,
    notAfter: NOW + 365 * DAY,
    serial: crypto.getRandomValues(new Uint8Array(8)).map((octet, at) => at === 0 ? 1 : octet),
    ...more,
  };
}

/** A root, an authority below it and a device, with keys on a curve. */
function site(curve: Curve, device: Partial<CertificateRequest> = {}) {
  const [rootKey, authorityKey, deviceKey] = [0, 1, 2].map(() => makeSigner(curve)) as [
    Signer,
    Signer,
    Signer,
  ];
  const authority = { pathLength: undefined };
  const root = certificate(
    issueCertificate(request("Root", rootKey, { authority }), { signer: rootKey }),
  );
  const province = certificate(issueCertificate(
    request("Province", authorityKey, { authority: { pathLength: 0 } }),
    { signer: rootKey, certificate: root },
  ));
  const own = certificate(issueCertificate(
    request("pile-0001", deviceKey, { names: ["pile-0001.site", "10.0.0.7"], ...device }),
    { signer: authorityKey, certificate: province },
  ));
  const options: ChainOptions = {
    root: root.key!,
    authorities: [root, province],
    lists: [],
    at: NOW,
    name: "pile-0001",
    purpose: "client",
  };
  return { rootKey, authorityKey, deviceKey, root, province, own, options };
}

for (const curve of ["sm2", "p256"] as const) {
  Deno.test(`A chain on ${curve}: what was issued is read, and trusted`, () => {
    const { own, province, options } = site(curve);
    assertEquals(verifyChain(own, options), { code: 0, why: "trusted" });
    assertEquals([own.commonName, own.names, own.isAuthority, own.curve], [
      "pile-0001",
      ["pile-0001.site", "10.0.0.7"],
      false,
      curve,
    ]);
    assertEquals([province.isAuthority, province.pathLength], [true, 0]);
    assertEquals([own.notBefore, own.notAfter], [NOW - DAY, NOW + 365 * DAY]);
    for (const name of ["pile-0001.site", "10.0.0.7"]) {
      assertEquals(verifyChain(own, { ...options, name }).code, 0);
    }
  });
}

Deno.test("Every reason not to trust a chain has its result", () => {
  const { own, province, root, rootKey, authorityKey, deviceKey, options } = site("sm2");
  const other = site("sm2");
  const told = (device: Certificate, change: Partial<ChainOptions> = {}) => {
    const { code, why } = verifyChain(device, { ...options, ...change });
    return `${code} ${why}`;
  };
  const { notAllowed, deviceWrong, authorityWrong, authorityKey: noKey } = CHAIN;
  assertEquals(told({ ...own, signature: undefined }), "-2 its signature cannot be read");
  assertEquals(told(own, { authorities: [root] }), `${authorityWrong} its authority is not known`);
  assertEquals(
    told(own, { authorities: [root, { ...province, key: undefined }] }),
    `${noKey} the authority's key cannot be read`,
  );
  const wrong = own.signature!.slice();
  wrong[5]! ^= 1;
  assertEquals(
    told({ ...own, signature: wrong }),
    `${deviceWrong} the authority has not signed it`,
  );
  // The same names, and other keys.
  assertEquals(told(other.own), `${deviceWrong} the authority has not signed it`);
  assertEquals(
    told(own, { root: other.root.key! }),
    `${authorityWrong} the root has not signed the authority's certificate`,
  );
  assertEquals(told(own, { root: site("p256").root.key! }).slice(0, 2), `${authorityWrong}`);
  const old = told(own, { at: NOW + 366 * DAY });
  assert(old.startsWith(`${notAllowed} its authority was valid until 2027-11-21`), old);
  assert(told(own, { at: NOW - 2 * DAY }).startsWith(`${notAllowed} its authority is not valid`));
  assertEquals(
    told(own, { name: "pile-0002" }),
    `${notAllowed} it is of pile-0001.site, not of pile-0002`,
  );
  // A device that would be an authority.
  const forged = certificate(issueCertificate(
    request("pile-0666", makeSigner("sm2")),
    { signer: deviceKey, certificate: own },
  ));
  assertEquals(
    told(forged, { authorities: [root, province, own], name: undefined }),
    `${authorityWrong} the root has not signed the authority's certificate`,
  );
  const direct = certificate(issueCertificate(
    request("pile-0001", deviceKey),
    { signer: rootKey, certificate: root },
  ));
  const below = certificate(issueCertificate(
    request("pile-0667", makeSigner("sm2")),
    { signer: deviceKey, certificate: direct },
  ));
  assertEquals(
    told(below, { authorities: [direct], name: undefined }),
    `${notAllowed} the certificate that issued it is not an authority's`,
  );
  const late = certificate(issueCertificate(
    request("pile-0001", deviceKey, { notBefore: NOW + DAY }),
    { signer: authorityKey, certificate: province },
  ));
  assert(told(late).startsWith(`${notAllowed} it is not valid before 2026-11-22`));
  assertEquals(
    told({ ...own, unknown: ["1.2.3"] }),
    `${notAllowed} it has the unknown extension 1.2.3`,
  );
  assertEquals(told({ ...own, usage: 0x04 }), `${notAllowed} it may not sign`);
  assertEquals(told({ ...own, purposes: ["1.2"] }), `${notAllowed} it is not for a client`);
  assertEquals(told({ ...own, key: undefined }), `${notAllowed} its key cannot be read`);
});

Deno.test("What was revoked is not trusted; a list that is too old, or somebody else's, says nothing good", () => {
  const { own, province, root, rootKey, authorityKey, options } = site("sm2");
  const other = site("sm2");
  const list = (
    signer: Signer,
    issuer: Certificate,
    serials: readonly string[],
    nextUpdate = NOW + DAY,
  ) => {
    const revoked = serials.map((serial) => ({ serial: Uint8Array.fromHex(serial), at: NOW }));
    const octets = issueRevocationList(
      { number: 7, thisUpdate: NOW, nextUpdate, revoked },
      { signer, certificate: issuer },
    );
    const read = readRevocationList(octets);
    assert(!("code" in read));
    return read;
  };
  const told = (...lists: readonly RevocationList[]) => verifyChain(own, { ...options, lists }).why;
  assertEquals(told(list(authorityKey, province, [])), "trusted");
  assertEquals(told(list(authorityKey, province, ["0102", "03"])), "trusted");
  const revoked = list(authorityKey, province, ["0102", own.serial]);
  assertEquals(told(revoked), "it was revoked on 2026-11-21T00:00:00.000Z");
  assertEquals(
    told(list(rootKey, root, [province.serial])),
    "the authority was revoked on 2026-11-21T00:00:00.000Z",
  );
  assertEquals(
    told(list(authorityKey, province, [], NOW - 1000)),
    "the revocation list for it is too old",
  );
  // Of an authority of the same name, with another key: not its list.
  assertEquals(told(list(other.authorityKey, other.province, [own.serial])), "trusted");
  assertEquals(
    told({ ...revoked, unknown: ["1.2"] }),
    "it was revoked on 2026-11-21T00:00:00.000Z",
  );
});

Deno.test({
  name: "What openssl issues we verify, level by level, and what we issue openssl does",
  ...needs("openssl"),
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-x509-" });
    const run = async (...args: string[]) => {
      const { code, stderr, stdout } = await new Deno.Command("openssl", { args, cwd: folder })
        .output();
      const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
      return { code, out: text(stdout), err: text(stderr) };
    };
    try {
      const id = "distid:1234567812345678";
      for (const [curve, name, digest] of [["sm2", "SM2", "sm3"], ["p256", "P-256", "sha256"]]) {
        const sigopt = curve === "sm2" ? ["-sigopt", id] : [];
        const key = ["genpkey", "-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${name}`];
        for (const who of ["ca", "sub", "dev"]) await run(...key, "-out", `${who}.key`);
        const root = ["req", "-x509", "-key", "ca.key", "-subj", "/CN=Root", "-days", "30"];
        const done = await run(
          ...[...root, `-${digest}`, ...sigopt, "-out", "ca.pem"],
          ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        );
        assertEquals(done.code, 0, done.err);
        for (
          const [who, by, ext] of [
            [
              "sub",
              "ca",
              "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign",
            ],
            ["dev", "sub", "keyUsage=digitalSignature\nsubjectAltName=DNS:pile-9"],
          ]
        ) {
          Deno.writeTextFileSync(`${folder}/${who}.ext`, `${ext}\n`);
          const subject = ["-subj", `/CN=${who}`, "-out", `${who}.csr`];
          await run("req", "-new", "-key", `${who}.key`, `-${digest}`, ...sigopt, ...subject);
          const signed = await run(
            ...["x509", "-req", "-in", `${who}.csr`, "-CA", `${by}.pem`, "-CAkey", `${by}.key`],
            ...["-CAcreateserial", "-days", "20", `-${digest}`, "-extfile", `${who}.ext`],
            ...[...sigopt, ...(curve === "sm2" ? ["-vfyopt", id] : []), "-out", `${who}.pem`],
          );
          assertEquals(signed.code, 0, signed.err);
        }
        const read = (file: string) => {
          const text = Deno.readTextFileSync(`${folder}/${file}`);
          return certificate(fromPem("CERTIFICATE", text)[0]!);
        };
        const [ca, sub, dev] = [read("ca.pem"), read("sub.pem"), read("dev.pem")];
        const options = { root: ca.key!, authorities: [sub], lists: [], at: Date.now() };
        assertEquals(verifyChain(dev, { ...options, name: "pile-9" }).why, "trusted");
        const signer = privateKeyOfPem(Deno.readTextFileSync(`${folder}/sub.key`))!;
        assertEquals(signer.publicKey, sub.key);
        // The other way round: what we sign with its key, and write as a key.
        const device = makeSigner(curve as Curve);
        const today = { notBefore: Date.now() - DAY, notAfter: Date.now() + DAY };
        const own = issueCertificate(request("ours", device, today), { signer, certificate: sub });
        Deno.writeTextFileSync(`${folder}/own.pem`, toPem("CERTIFICATE", own));
        Deno.writeTextFileSync(
          `${folder}/own.key`,
          toPem("PRIVATE KEY", writePrivateKey(device)),
        );
        const vfy = curve === "sm2" ? ["-vfyopt", id] : [];
        const checked = await run(
          ...["verify", ...vfy, "-partial_chain", "-CAfile", "sub.pem", "own.pem"],
        );
        assertEquals(checked.code, 0, `${checked.out}${checked.err}`);
        const shown = await run("pkey", "-in", "own.key", "-check", "-noout");
        assert(shown.out.includes("Key is valid"), shown.out + shown.err);
        const list = issueRevocationList(
          {
            number: 1,
            thisUpdate: Date.now() - DAY,
            nextUpdate: Date.now() + DAY,
            revoked: [{ serial: Uint8Array.fromHex(certificate(own).serial), at: Date.now() }],
          },
          { signer, certificate: sub },
        );
        Deno.writeTextFileSync(`${folder}/crl.pem`, toPem("X509 CRL", list));
        const parsed = await run("crl", "-in", "crl.pem", "-noout", "-text");
        assert(parsed.out.includes(certificate(own).serial.toUpperCase()), parsed.out + parsed.err);
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("A private key is read as it was written, by itself or in PKCS #8; others are not", () => {
  for (const curve of ["sm2", "p256"] as const) {
    const signer = makeSigner(curve);
    const octets = writePrivateKey(signer);
    assertEquals(readPrivateKey(octets)!.secret(), signer.secret());
    assertEquals(readPrivateKey(octets)!.publicKey, signer.publicKey);
  }
  for (const text of ["", "30", "3000", "300302010030", "04020102"]) {
    assertEquals(readPrivateKey(Uint8Array.fromHex(text)), undefined, text);
  }
});

// The forms that BER has and DER has not.
Deno.test("What is not DER is not read", () => {
  for (
    const [what, text] of [
      ["an indefinite length", "30800201010000"],
      ["a length that is too long", "308103020101"],
      ["leading zeros of a length", "30820003020101"],
      ["octets behind", "300302010100"],
      ["cut off", "30030201"],
      ["an integer that is too long", "300402020001"],
      ["a boolean that is neither", "3003010101"],
      ["a null with octets", "3003050100"],
      ["bits that do not exist", "3003030201ff"],
      ["a tag of two octets", "30041f010100"],
      ["too deep", nested(40)],
    ] as const
  ) assertEquals(readDer(Uint8Array.fromHex(text)), undefined, what);
  assertEquals(readDer(Uint8Array.fromHex("3003020101"))!.children[0]!.content, Uint8Array.of(1));
});

function nested(depth: number): string {
  let inner: Uint8Array = new Uint8Array(0);
  for (let turn = 0; turn < depth; turn += 1) inner = der.sequence(inner);
  return inner.toHex();
}

Deno.test("Times are read as they were written, in both forms; wrong ones are not", () => {
  for (const epoch of [0, NOW, Date.UTC(2049, 11, 31, 23, 59, 59), Date.UTC(2050, 0, 1)]) {
    assertEquals(timeOf(readDer(der.time(epoch))), epoch);
  }
  const time = (text: string, tag = 0x17) => {
    const octets = new TextEncoder().encode(text);
    return timeOf(readDer(Uint8Array.of(tag, octets.length, ...octets)));
  };
  for (const wrong of ["261332000000Z", "260230000000Z", "2611210000Z", "261121000000+0800", ""]) {
    assertEquals(time(wrong), undefined, wrong);
  }
});

Deno.test("Whatever is changed in a certificate or a list, it is read or refused, and never trusted", () => {
  const { own, province, authorityKey, options } = site("sm2");
  const list = issueRevocationList(
    { number: 1, thisUpdate: NOW, nextUpdate: NOW + DAY, revoked: [] },
    { signer: authorityKey, certificate: province },
  );
  let [read, refused] = [0, 0];
  const any = fc.array(
    fc.record({ at: fc.nat(2000), octet: fc.nat(255) }, { noNullPrototype: true }),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(any, fc.constantFrom(own.octets, list), fc.nat(5), (changes, whole, cut) => {
      const octets = whole.slice(0, whole.length - cut);
      for (const { at, octet } of changes) octets[at % octets.length] = octet;
      // One change may take another back.
      const changed = cut > 0 || octets.some((octet, at) => octet !== whole[at]);
      const got = whole === list ? readRevocationList(octets) : readCertificate(octets);
      if ("code" in got) {
        refused += 1;
        return;
      }
      read += 1;
      if (!changed || whole === list) return;
      const { code } = verifyChain(got as Certificate, { ...options, name: undefined });
      assert(code !== 0, octets.toHex());
    }),
    { numRuns: 1500 },
  );
  assert(read > 30 && refused > 30, `${read} ${refused}`);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
    assert("code" in readCertificate(octets) && "code" in readRevocationList(octets));
  }));
});
