/** Recorded conversations of other implementations: every frame is read, and written the same. */
import {
  apduTree,
  ASDU_MAX,
  asduOctets,
  Iec104Link,
  LENGTH_MAX,
  PROFILE_104,
  readApdu,
} from "../../../../src/protocol/iec104/mod.ts";
import type { Instant } from "../../../../src/base/time.ts";
import { assert, assertEquals } from "../../../assert.ts";

const PORT = 2404;

interface Segment {
  readonly fromServer: boolean;
  readonly client: number;
  readonly octets: Uint8Array;
}

/** The TCP payloads of a capture of Ethernet, in order; it has no retransmissions. */
function segmentsOf(file: Uint8Array): Segment[] {
  const view = new DataView(file.buffer, file.byteOffset);
  const little = view.getUint32(0, true) === 0xa1b2c3d4;
  assert(little || view.getUint32(0) === 0xa1b2c3d4, "a classic capture");
  const linkType = view.getUint32(20, little);
  const linkSize = linkType === 1 ? 14 : linkType === 113 ? 16 : linkType === 276 ? 20 : 4;
  const segments: Segment[] = [];
  for (let at = 24; at < file.length;) {
    const size = view.getUint32(at + 8, little);
    const ip = at + 16 + linkSize;
    const ipSize = (file[ip]! & 0xf) * 4;
    const tcp = ip + ipSize;
    const end = ip + view.getUint16(ip + 2);
    const source = view.getUint16(tcp);
    const target = view.getUint16(tcp + 2);
    const data = tcp + (file[tcp + 12]! >> 4) * 4;
    if (data < end) {
      const fromServer = target !== PORT && source < target || source === PORT;
      const client = fromServer ? target : source;
      segments.push({ fromServer, client, octets: file.slice(data, end) });
    }
    at += 16 + size;
  }
  return segments;
}

for (const name of ["session_basic", "session_async", "session_redundancy"]) {
  const file = Deno.readFileSync(new URL(`../../../vectors/iec104/${name}.pcap`, import.meta.url));
  Deno.test(`Every APDU of ${name} is read, and written as it was`, () => {
    let information = 0;
    const types = new Set<number>();
    for (const { octets } of segmentsOf(file)) {
      for (let at = 0; at < octets.length;) {
        const reading = readApdu(octets, at, PROFILE_104);
        assertEquals(reading.malformed, undefined);
        assert(reading.size >= 6 && reading.size <= LENGTH_MAX + 2);
        if (reading.asdu) {
          information += 1;
          types.add(reading.asdu.type);
          const written = asduOctets(reading.asdu);
          assert(written.length <= ASDU_MAX);
          assertEquals(written, octets.slice(at + 6, at + reading.size));
          assert(apduTree(reading).length >= 4);
        }
        at += reading.size;
      }
    }
    assert(information > 5 && types.size > 1, `${information} I frames of ${[...types]}`);
  });

  Deno.test(`A link takes either side of ${name} and says what the other one said`, () => {
    const segments = segmentsOf(file);
    const clients = new Set(segments.map(({ client }) => client));
    for (const client of clients) {
      const own = segments.filter((segment) => segment.client === client);
      const link = new Iec104Link({ role: "controlled", k: 100, w: 100 }, 0 as Instant);
      // The server's part is played by the link: what it has to send is what the server sent.
      let took = 0;
      for (const { fromServer, octets } of own) {
        if (fromServer) {
          for (let at = 0; at < octets.length;) {
            const { asdu, size } = readApdu(octets, at, PROFILE_104);
            if (asdu) assert(link.send(asdu, 0 as Instant), "there is room");
            at += size;
          }
        } else link.receive(octets, 0 as Instant);
        for (let event = link.event(); event; event = link.event()) {
          assert(event.kind !== "closed" && event.kind !== "malformed", JSON.stringify(event));
          if (event.kind === "asdu") took += 1;
        }
      }
      assert(took > 0);
    }
  });
}
