/** `busbar decode v4relay`: what a line of the stream relay's protocol means, offline. */
import { readHello, readRequest, VideoReader } from "../../protocol/v4relay/mod.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";

const NAME = "decode v4relay";

/** The command. */
export const decodeRelayCommand: Command = {
  name: NAME,
  summary: "Show a line of the stream relay's protocol as JSON",
  details: "Takes a hello line of a data port (V4HELLO …), a JSON message of the control port, " +
    "or a frame of the video test, as text or in hexadecimal.\n\n" +
    "Exit code 1 when a relay would refuse or ignore it.",
  options: [],
  args: [{ name: "line", summary: "The line, or its octets in hexadecimal", many: true }],
  examples: [`busbar decode v4relay 'V4HELLO {"role":"client","session_id":"01","id":"c1"}'`],
  run: (call) => Promise.resolve(decode(call)),
};

function decode(call: Invocation): number {
  const given = new Arguments(NAME, call);
  const joined = call.args.join(" ");
  if (joined === "") given.fail("A line is needed");
  const digits = joined.replace(/[\s:]/g, "");
  const octets = /^([0-9a-f]{2})+$/i.test(digits)
    ? Uint8Array.from(digits.match(/../g)!, (pair) => parseInt(pair, 16))
    : new TextEncoder().encode(joined);
  const text = new TextDecoder().decode(octets);
  const read = text.startsWith("V4VT")
    ? video(octets)
    : text.trimStart().startsWith("{")
    ? request(text)
    : hello(text);
  call.terminal.out(JSON.stringify(read));
  return read.kind === "refused" || read.kind === "ignored" ? EXIT.failed : EXIT.ok;
}

function video(octets: Uint8Array<ArrayBuffer>) {
  const reader = new VideoReader(octets.length);
  reader.feed(octets);
  const frame = reader.next();
  if (!frame) return { kind: "refused", why: "the frame is not whole" };
  if (frame.kind === "malformed") return { kind: "refused", why: frame.code };
  const times = [frame.sentNs, frame.serverReceivedNs, frame.serverSentNs].map(String);
  const [sentNs, serverReceivedNs, serverSentNs] = times;
  const { type, payload } = frame;
  const sequence = String(frame.sequence);
  return {
    kind: "video",
    type,
    sequence,
    sentNs,
    serverReceivedNs,
    serverSentNs,
    octets: payload.length,
  };
}

function hello(text: string) {
  const line = text.endsWith("\n") ? text : `${text}\n`;
  return readHello(new TextEncoder().encode(line));
}

function request(text: string) {
  try {
    const message = JSON.parse(text) as Record<string, unknown>;
    return readRequest(message) ?? { kind: "ignored", why: "no type that is known" };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { kind: "refused", why: "no JSON: the relay closes the connection" };
  }
}
