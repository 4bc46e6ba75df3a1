/** `busbar decode iec104 <hex>`: what octets of a 104 connection mean, offline. */
import type { JsonObject } from "../../kernel/registry.ts";
import { asduMessage } from "../../protocol/asdu_json/mod.ts";
import {
  type ApduReading,
  apduTree,
  decodeAsdu,
  type Profile,
  readApdu,
  START,
  timeZone,
  typeName,
} from "../../protocol/iec104/mod.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { hexOctets, hexText } from "../hex_octets.ts";

const NAME = "decode iec104";
const FORMS = ["apdu", "asdu"] as const;
const SIZES = /^([12]),([12]),([123])$/;

/** The command. */
export const decodeIec104Command: Command = {
  name: NAME,
  summary: "Show APDUs of IEC 60870-5-104 as a tree",
  details: "Takes the octets of one APDU or of several in a row, or of an ASDU without its APCI. " +
    "Blanks, colons and 0x between them do not matter.\n\nExit code 1 when they are malformed.",
  options: [
    { name: "as", value: "FORM", choices: FORMS, summary: "What the octets are, if not guessed" },
    {
      name: "sizes",
      value: "COT,CA,IOA",
      summary: "Octets of cause, common address, object address (default 2,2,3)",
    },
    { name: "json", summary: "One JSON object for each APDU" },
    {
      name: "messages",
      summary: "The message of each object, as it is pushed to Kafka and MQTT",
    },
    {
      name: "time_zone",
      value: "ZONE",
      summary: "Zone of the device's times, for --messages (default Asia/Shanghai)",
    },
  ],
  args: [{ name: "hex", summary: "The octets in hexadecimal", many: true }],
  examples: [
    "busbar decode iec104 68 0e 00 00 00 00 01 01 03 00 01 00 e9 03 00 c1",
    "busbar decode iec104 --messages 6815160000001e0103000100e903000150370615b40b1a",
  ],
  run: (call) => Promise.resolve(decode(call)),
};

function decode(call: Invocation): number {
  const given = new Arguments(NAME, call);
  const octets = hexOctets(given);
  const sizes = SIZES.exec(given.text("sizes") ?? "2,2,3") ??
    given.fail("--sizes must be three numbers such as 2,2,3: 1 or 2, 1 or 2, 1 to 3");
  const profile = {
    causeSize: Number(sizes[1]),
    commonAddressSize: Number(sizes[2]),
    objectAddressSize: Number(sizes[3]),
  } as Profile;
  const form = given.text("as") ?? (octets[0] === START ? "apdu" : "asdu");
  const name = given.text("time_zone") ?? "Asia/Shanghai";
  const zone = timeZone(name) ?? given.fail(`--time_zone: there is no zone "${name}"`);
  let at = 0;
  do {
    const reading = form === "apdu" ? readApdu(octets, at, profile) : asduReading(octets, profile);
    const { malformed, size } = reading;
    const offset = at + (malformed?.offset ?? 0);
    if (given.flag("messages")) {
      for (const message of messagesOf(reading, zone)) call.terminal.out(JSON.stringify(message));
    } else if (given.flag("json")) call.terminal.out(JSON.stringify(jsonOf(reading, offset)));
    else for (const line of linesOf(reading)) call.terminal.out(line);
    if (malformed) {
      const found = octets[offset] === undefined
        ? "the end"
        : hexText(octets.slice(offset, offset + 8));
      const text = `Malformed: ${malformed.code} at octet ${offset} (${found})`;
      if (!given.flag("json")) call.terminal.out(text);
      return EXIT.failed;
    }
    at += size;
  } while (at < octets.length);
  return EXIT.ok;
}

function asduReading(octets: Uint8Array, profile: Profile): ApduReading {
  const asdu = decodeAsdu(octets, profile);
  const size = octets.length;
  return "kind" in asdu ? { size, malformed: asdu } : { size, asdu };
}

function linesOf(reading: ApduReading): string[] {
  const lines = apduTree(reading);
  return reading.control ? lines : lines.map((line) => line.slice(2));
}

function jsonOf({ control, stray, asdu, malformed }: ApduReading, offset: number): JsonObject {
  return plain({
    ...(control ? { apci: control } : {}),
    ...(stray ? { stray } : {}),
    ...(asdu ? { asdu: { name: typeName(asdu.type), ...asdu } } : {}),
    ...(malformed ? { malformed: { code: malformed.code, offset } } : {}),
  });
}

/** Octets as hexadecimal text, and without what is not there. */
function plain(value: object): JsonObject {
  const text = JSON.stringify(value, (_key, one) => one instanceof Uint8Array ? hexText(one) : one);
  return JSON.parse(text) as JsonObject;
}

function messagesOf({ asdu }: ApduReading, zone: NonNullable<ReturnType<typeof timeZone>>) {
  if (!asdu) return [];
  const source = { host: "", port: 0, deviceZone: zone, zone };
  return asdu.objects.flatMap((object) => {
    const occasion = { msgId: crypto.randomUUID(), atMicros: Date.now() * 1000 };
    return asduMessage(source, asdu, object, occasion) ?? [];
  });
}
