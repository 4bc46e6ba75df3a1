/** ffmpeg on both sides of the relay: every frame of a video comes out as it went in. */
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { RelayProcess } from "../../relay/busbar.ts";
import { type Grant, Peer } from "../../relay/peer.ts";
import { Proxy } from "./proxy.ts";

const SECONDS = 4;
const PASSPHRASE = "correct-horse-battery";

async function ffmpeg(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("ffmpeg", {
    args: ["-nostdin", "-loglevel", "error", "-y", ...args],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stderr);
  assert(success, `ffmpeg ${args.join(" ")}: ${said}`);
  return new TextDecoder().decode(stdout);
}

/** The digest of each frame, without its time. */
function digests(text: string): string[] {
  return text.split("\n").filter((line) => /^\d/.test(line)).map((line) =>
    line.split(",").at(-1)!.trim()
  );
}

for (const keyLength of ["", "16", "32"]) {
  const how = keyLength === "" ? "in the clear" : `with keys of ${keyLength} octets`;
  Deno.test({
    name: `ffmpeg, relay, ffmpeg ${how}, with 2 % of loss: every frame is the same`,
    ...needs("ffmpeg"),
    fn: () => carry(keyLength),
  });
}

async function carry(keyLength: string): Promise<void> {
  const folder = Deno.makeTempDirSync();
  await ffmpeg(
    ...["-f", "lavfi", "-i", `testsrc=size=320x240:rate=25:duration=${SECONDS}`],
    ...["-c:v", "mpeg2video", "-b:v", "1500k", "-f", "mpegts", `${folder}/in.ts`],
  );
  const expected = digests(
    await ffmpeg("-i", `${folder}/in.ts`, "-c", "copy", "-f", "framemd5", "-"),
  );
  const srt = keyLength === "" ? {} : { passphrase: PASSPHRASE, "key_length": keyLength };
  await using relay = await RelayProcess.start({ ports: 2, srt });
  using _server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  await client.send("pair_request", { "request_id": "r", "need_srt": true });
  const grant = (await client.next("pair_grant")).payload as Grant;
  const weather = { loss: 2, delay: 20, jitter: 5 };
  using near = new Proxy(grant.srt_port, weather, 7);
  using far = new Proxy(grant.srt_port, weather, 8);
  const keys = keyLength === "" ? "" : `&passphrase=${PASSPHRASE}&pbkeylen=${keyLength}`;
  const uri = (port: number, name: string) => {
    const id = `#!::s=${grant.session_id},u=${name}`;
    // ffmpeg counts in microseconds.
    return `srt://127.0.0.1:${port}?streamid=${id}&latency=400000&pkt_size=1316${keys}`;
  };
  const heard = ffmpeg(
    ...["-i", uri(far.port, "s1"), "-c", "copy", "-f", "framemd5", "-"],
  );
  await relay.until("the receiver is there", async () => {
    return await relay.counter("srt_connections") === 1;
  });
  await ffmpeg(
    ...["-re", "-i", `${folder}/in.ts`, "-c", "copy", "-f", "mpegts", uri(near.port, "c1")],
  );
  assertEquals(digests(await heard), expected);
  assert(expected.length === 25 * SECONDS, `${expected.length} frames`);
  assert(near.lost + far.lost > 0, "something was lost on the way");
  Deno.removeSync(folder, { recursive: true });
}
