// deno-lint-ignore-file no-console -- what was lost is worth seeing
/**
 * libsrt's own tool on both sides of the relay, through networks that lose, delay and reorder: what
 * comes out is what went in, message by message, but for what came too late to be of use.
 */
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { RelayProcess } from "../../relay/busbar.ts";
import { type Grant, Peer } from "../../relay/peer.ts";
import { Proxy } from "./proxy.ts";

const MESSAGE = 1316;
const MESSAGES = 1200;
/** Milliseconds between two, about 2.6 Mbit/s. */
const PACE = 4;
const LATENCY = 600;
const DELAY = 40;
const LOSSES = [0, 1, 5, 10];
const PASSPHRASE = "correct-horse-battery";

/** A program that reads or writes the stream, for as long as it is needed. */
function transmit(from: string, to: string): Deno.ChildProcess {
  return new Deno.Command("srt-live-transmit", {
    args: ["-quiet", "-loglevel:fatal", "-chunk:1316", from, to],
    stdin: from === "file://con" ? "piped" : "null",
    stdout: to === "file://con" ? "piped" : "null",
    stderr: "null",
  }).spawn();
}

interface Outcome {
  readonly got: number[];
  /** Messages whose octets are not those that went in. */
  readonly corrupt: number;
}

/** Reads messages until they stop coming; each says its number in every octet. */
async function collect(stream: ReadableStream<Uint8Array>): Promise<Outcome> {
  const got: number[] = [];
  let corrupt = 0;
  let rest = new Uint8Array(0);
  for await (const piece of stream) {
    const joined = new Uint8Array(rest.length + piece.length);
    joined.set(rest);
    joined.set(piece, rest.length);
    let at = 0;
    for (; at + MESSAGE <= joined.length; at += MESSAGE) {
      const message = joined.subarray(at, at + MESSAGE);
      const number = new DataView(message.buffer, message.byteOffset).getUint32(0);
      if (message.subarray(4).some((octet) => octet !== (number * 7 & 255))) corrupt += 1;
      got.push(number);
    }
    rest = joined.slice(at);
  }
  return { got, corrupt };
}

async function pour(writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
  const begun = performance.now();
  for (let number = 0; number < MESSAGES; number += 1) {
    const message = new Uint8Array(MESSAGE).fill(number * 7 & 255);
    new DataView(message.buffer).setUint32(0, number);
    await writer.write(message);
    const early = begun + number * PACE - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
  }
}

/** One session through bad weather on both legs. */
async function session(
  relay: RelayProcess,
  client: Peer,
  name: string,
  loss: number,
  options: string,
): Promise<Outcome> {
  await client.send("pair_request", { "request_id": `loss${loss}`, "need_srt": true });
  const grant = (await client.next("pair_grant")).payload as Grant;
  const weather = { loss, delay: DELAY, jitter: loss > 0 ? 10 : 0 };
  using near = new Proxy(grant.srt_port, weather, 1 + loss);
  using far = new Proxy(grant.srt_port, weather, 101 + loss);
  const id = (name: string, mode: string) =>
    `streamid=#!::s=${grant.session_id},u=${name},m=${mode}`;
  const uri = (port: number, name: string, mode: string) =>
    `srt://127.0.0.1:${port}?${id(name, mode)}&latency=${LATENCY}&conntimeo=10000${options}`;
  const sink = transmit(uri(far.port, "s1", "request"), "file://con");
  const outcome = collect(sink.stdout);
  const source = transmit("file://con", uri(near.port, name, "publish"));
  const writer = source.stdin.getWriter();
  await relay.until(`the session with ${loss} % of loss runs`, async () => {
    const { detail } = (await relay.status()).services.stream_relay;
    return (detail?.srt_sessions ?? []).some((one: { session_id: string }) =>
      one.session_id === grant.session_id
    );
  });
  await pour(writer);
  await new Promise((resolve) => setTimeout(resolve, 3 * LATENCY));
  source.kill("SIGKILL");
  sink.kill("SIGINT");
  await Promise.all([source.status, sink.status]);
  try {
    await writer.close();
  } catch (error) {
    if (!(error instanceof Error)) throw error; // The program that read it is gone.
  }
  return await outcome;
}

async function transmitThrough(srt: Record<string, unknown>, options: string): Promise<void> {
  await using relay = await RelayProcess.start({ srt, ports: 2 });
  using _server = await Peer.register(relay.controlPort, "server", "s1");
  const outcomes = await Promise.all(LOSSES.map(async (loss) => {
    const name = `c${loss}`;
    using client = await Peer.register(relay.controlPort, "client", name);
    return await session(relay, client, name, loss, options);
  }));
  for (const [index, { got, corrupt }] of outcomes.entries()) {
    const loss = LOSSES[index]!;
    console.log(`${loss} % of loss on both legs: ${got.length} of ${MESSAGES} came`);
    assertEquals(corrupt, 0, `${loss} %: no octet is wrong`);
    assert(got.every((number, at) => at === 0 || number > got[at - 1]!), `${loss} %: in order`);
    // The pipe into the tool may keep the last; what is lost in calm weather is nothing.
    const least = loss === 0 ? MESSAGES - 10 : MESSAGES * 0.99;
    assert(got.length >= least, `${loss} %: ${got.length} of ${MESSAGES} came`);
  }
  assertEquals((await relay.status()).services.stream_relay.restarts, 0);
}

Deno.test({
  name: "srt-live-transmit, relay, srt-live-transmit: plain, through loss, delay and disorder",
  ...needs("srt-live-transmit"),
  fn: () => transmitThrough({}, ""),
});

for (const keyLength of ["16", "32"]) {
  Deno.test({
    name: `The same with keys of ${keyLength} octets, replaced every 300 packets`,
    ...needs("srt-live-transmit"),
    fn: () =>
      transmitThrough(
        { passphrase: PASSPHRASE, "key_length": keyLength },
        `&passphrase=${PASSPHRASE}&pbkeylen=${keyLength}&kmrefreshrate=300&kmpreannounce=100`,
      ),
  });
}
