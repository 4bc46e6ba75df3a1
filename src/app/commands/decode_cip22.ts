/** `busbar decode cip22 <hex>`: what frames of a charging pile mean, offline. */
import type { Instant } from "../../base/time.ts";
import { type Frame, FrameReader, readTlvs, tagName, typeName } from "../../protocol/cip22/mod.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { hexOctets, hexText } from "../hex_octets.ts";

const NAME = "decode cip22";
const NOW = 0 as Instant;

/** The command. */
export const decodeCip22Command: Command = {
  name: NAME,
  summary: "Show frames of CIP-22 as trees",
  details:
    "Takes the octets of a stream: what belongs to no frame is passed over, and told. Both " +
    "kinds of the check are taken. Sealed frames are not opened.\n\n" +
    "Exit code 1 when there is none, or octets are left.",
  options: [{ name: "json", summary: "One JSON object for each frame" }],
  args: [{ name: "hex", summary: "The octets in hexadecimal", many: true }],
  examples: ["busbar decode cip22 c1022000 0004 01 00010002 4c"],
  run: (call) => Promise.resolve(decode(call)),
};

function decode(call: Invocation): number {
  const { terminal, options } = call;
  const octets = hexOctets(new Arguments(NAME, call));
  const reader = new FrameReader({ crc: "auto" });
  reader.feed(octets, NOW);
  let used = 0;
  for (let frame = reader.next(NOW); frame; frame = reader.next(NOW)) {
    used += frame.head.length + 1;
    for (const line of options.json ? [JSON.stringify(plainOf(frame))] : treeOf(frame)) {
      terminal.out(line);
    }
  }
  const left = octets.length - used;
  const { frames, checks } = reader.counts;
  if (left > 0) {
    terminal.err(`${left} octets belong to no frame; ${checks} had a wrong check`);
  }
  return frames > 0 && left === 0 ? EXIT.ok : EXIT.failed;
}

function plainOf({ type, payload }: Frame) {
  const elements = readTlvs(payload);
  return {
    type,
    name: typeName(type),
    payload: payload.toHex(),
    ...("kind" in elements ? {} : {
      elements: elements.map(({ tag, value }) => ({
        tag,
        name: tagName(tag),
        value: value.toHex(),
      })),
    }),
  };
}

function treeOf({ type, payload }: Frame): string[] {
  const elements = readTlvs(payload);
  const lines = [`${typeName(type)} (${type}), ${payload.length} octets`];
  if ("kind" in elements) return [...lines, `  ${hexText(payload)}`];
  return [
    ...lines,
    ...elements.map(({ tag, value }) => `  ${tagName(tag)} (${tag})  ${hexText(value)}`),
  ];
}
