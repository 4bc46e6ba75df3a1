/**
 * SRT as its peers meet it: the packed executable's relay and its own tool, against libsrt's tool
 * and ffmpeg.
 */
import { sameOctets } from "../../src/base/octets.ts";
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";
import { freePorts, RelayProcess } from "../relay/busbar.ts";
import { type Grant, Peer } from "../relay/peer.ts";
import { SrtConn } from "../../src/app/srt_conn.ts";
import { executable } from "./harness.ts";

const MESSAGE = 1316;
/** So long that no machine is too busy to be in time. */
const LATENCY = "latency=1500";
const PASSPHRASE = "correct-horse-battery";

function pattern(messages: number): Uint8Array {
  return Uint8Array.from({ length: messages * MESSAGE }, (_, at) => at * 31 % 253);
}

/** busbar's own tool. */
function transmit(from: string, to: string, ...more: string[]): Deno.ChildProcess {
  const [program, ...args] = executable();
  return new Deno.Command(program!, {
    args: [...args, "srt", "live-transmit", from, to, ...more],
    stdin: from === "-" ? "piped" : "null",
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
}

function stop(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // It has ended.
  }
}

/** The first octets of a stream, at most `size`. */
async function taken(stream: ReadableStream<Uint8Array>, size: number): Promise<Uint8Array> {
  const octets = new Uint8Array(size);
  let at = 0;
  for await (const part of stream) {
    octets.set(part.subarray(0, size - at), at);
    at += part.length;
    if (at >= size) break;
  }
  return octets.subarray(0, at);
}

async function wordsOf(child: Deno.ChildProcess): Promise<{ code: number; text: string }> {
  const { code, stderr } = await child.output();
  return { code, text: new TextDecoder().decode(stderr) };
}

async function grantSrt(server: Peer, client: Peer, id = "r"): Promise<Grant> {
  await client.send("pair_request", { "request_id": id, "need_srt": true });
  const grant = (await client.next("pair_grant")).payload as Grant;
  await server.next("pair_grant");
  return grant;
}

async function fileOf(path: string, size: number, what: string): Promise<Uint8Array> {
  const end = performance.now() + 20_000;
  for (;;) {
    let octets = new Uint8Array(0);
    try {
      octets = await Deno.readFile(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (octets.length >= size) return octets;
    if (performance.now() > end) {
      throw new Error(`${what}: ${octets.length} of ${size} octets came`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

Deno.test("A file goes through the relay whole by a reliable session, and the relay says so", async () => {
  const folder = Deno.makeTempDirSync();
  await using relay = await RelayProcess.start({ ports: 2, srt: { mode: "reliable" } });
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  const grant = await grantSrt(server, client);
  const octets = pattern(3000);
  Deno.writeFileSync(`${folder}/in`, octets);
  const uri = (name: string) =>
    `srt://127.0.0.1:${grant.srt_port}?transtype=file&streamid=#!::s=${grant.session_id},u=${name}`;
  const sink = transmit(uri("s1"), `file://${folder}/out`);
  const source = transmit(`file://${folder}/in`, uri("c1"));
  assertEquals((await wordsOf(source)).code, 0);
  assertEquals(sameOctets(await fileOf(`${folder}/out`, octets.length, "out"), octets), true);
  assertEquals((await wordsOf(sink)).code, 0, "it ends with its source");
  await relay.until("the session has ended", async () => {
    return await relay.counter("srt_sessions_ended") === 1;
  });
  const { port_state: state, services } = await relay.status();
  assertEquals(state.srt, { ...state.srt, idle: 4, occupied: 0 });
  assertEquals(services.stream_relay.counters.srt_octets_in, octets.length);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("The hello line as a first message, both kinds of ends, and who has no business there", async () => {
  const folder = Deno.makeTempDirSync();
  await using relay = await RelayProcess.start({ ports: 2 });
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  const grant = await grantSrt(server, client);
  const at = `srt://127.0.0.1:${grant.srt_port}`;
  const idle = await wordsOf(transmit("-", `srt://127.0.0.1:${grant.srt_port + 1}`));
  assertEquals([idle.code, idle.text.includes("2404")], [1, true], idle.text);
  const hello = (role: string, id: string) =>
    new TextEncoder().encode(
      `V4HELLO ${JSON.stringify({ role, "session_id": grant.session_id, id })}\n`,
    );
  // A peer of old: the line first, and then its stream, each in messages of their own.
  const sink = transmit(`${at}?streamid=#!::s=${grant.session_id},u=s1`, `file://${folder}/out`);
  const source = transmit("-", at, "--chunk", "1316");
  const writer = source.stdin.getWriter();
  await writer.write(hello("client", "c1"));
  await relay.until("they have met", async () => await relay.counter("srt_sessions") === 1);
  const octets = pattern(200);
  for (let from = 0; from < octets.length; from += MESSAGE) {
    await writer.write(octets.subarray(from, from + MESSAGE));
  }
  const came = await fileOf(`${folder}/out`, octets.length, "out");
  assertEquals(sameOctets(came, octets), true, "the line is not part of it");
  const late = await wordsOf(transmit(`${at}?streamid=#!::s=${grant.session_id},u=c1`, "-"));
  assertEquals(late.code, 0, "closed by the relay, which is an end");
  assertEquals(await relay.counter("srt_port_occupied"), 1);
  await writer.close();
  await Promise.all([wordsOf(source), wordsOf(sink)]);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("Without the passphrase nobody gets in, and why is told", async () => {
  await using relay = await RelayProcess.start({ ports: 2, srt: { passphrase: PASSPHRASE } });
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  const grant = await grantSrt(server, client);
  const at = `srt://127.0.0.1:${grant.srt_port}?streamid=#!::s=${grant.session_id},u=c1`;
  const none = await wordsOf(transmit("-", at));
  assertEquals([none.code, none.text.includes("1011")], [1, true], none.text);
  const wrong = await wordsOf(transmit("-", `${at}&passphrase=another-horse`));
  assertEquals([wrong.code, wrong.text.includes("1010")], [1, true], wrong.text);
  assertEquals(relay.log.includes(PASSPHRASE), false);
  assertEquals(JSON.stringify(await relay.status()).includes(PASSPHRASE), false);
});

for (
  const keys of [
    "",
    `&passphrase=${PASSPHRASE}&pbkeylen=16`,
    `&passphrase=${PASSPHRASE}&pbkeylen=32`,
  ]
) {
  const how = keys === "" ? "in the clear" : `with keys of ${keys.slice(-2)} octets`;
  Deno.test({
    name: `busbar calls libsrt, and libsrt calls busbar, ${how}`,
    ...needs("srt-live-transmit"),
    fn: () => callsBothWays(keys),
  });
}

async function callsBothWays(keys: string): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const octets = pattern(600);
  const refresh = "&kmrefreshrate=200&kmpreannounce=60";
  const libsrt = (from: string, to: string) =>
    new Deno.Command("srt-live-transmit", {
      args: ["-quiet", "-loglevel:fatal", "-chunk:1316", from, to],
      stdin: from === "file://con" ? "piped" : "null",
      stdout: to === "file://con" ? "piped" : "null",
      stderr: "null",
    }).spawn();
  const pour = async (stream: WritableStream<Uint8Array>) => {
    const writer = stream.getWriter();
    for (let from = 0; from < octets.length; from += MESSAGE) {
      await writer.write(octets.slice(from, from + MESSAGE));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return writer;
  };
  // We call, libsrt listens.
  const first = freePorts(1);
  const sink = libsrt(`srt://:${first}?${LATENCY}${keys}`, "file://con");
  const heard = taken(sink.stdout, octets.length);
  const source = transmit("-", `srt://127.0.0.1:${first}?${LATENCY}${keys}${keys && refresh}`);
  const end = await pour(source.stdin);
  // What libsrt's tool has not read when the connection ends is lost, and it writes by the page.
  await end.write(new Uint8Array(8 * MESSAGE));
  assertEquals(sameOctets(await heard, octets), true, "busbar to libsrt");
  await end.close();
  assertEquals((await wordsOf(source)).code, 0);
  stop(sink); // It may have ended with its connection, or wait for the next.
  await sink.status;
  // libsrt calls, we listen.
  const second = freePorts(1);
  const ours = transmit(
    `srt://:${second}?${LATENCY}${keys}`,
    `file://${folder}/out`,
    "--stats",
    "50ms",
  );
  const told = ours.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const theirs = libsrt(
    "file://con",
    `srt://127.0.0.1:${second}?${LATENCY}${keys}${keys && refresh}`,
  );
  // What libsrt's tool reads before it is connected it throws away.
  for (let text = ""; !text.includes('"connected":true');) text += (await told.read()).value ?? "";
  const writer = await pour(theirs.stdin);
  const came = await fileOf(`${folder}/out`, octets.length, "libsrt to busbar");
  assertEquals(sameOctets(came, octets), true, "libsrt to busbar");
  stop(theirs);
  await theirs.status;
  ours.kill("SIGTERM");
  assertEquals((await ours.status).code, 0);
  await told.cancel();
  try {
    await writer.close();
  } catch (error) {
    assert(error instanceof Error); // The program that read it is gone.
  }
  Deno.removeSync(folder, { recursive: true });
}

Deno.test("The probe measures an SRT session, and the session is shown", async () => {
  await using relay = await RelayProcess.start({ ports: 2 });
  const [program, ...args] = executable();
  const probe = (...more: string[]) =>
    new Deno.Command(program!, {
      args: [...args, "relay", "probe", ...more, "--control", `127.0.0.1:${relay.controlPort}`],
      stdout: "piped",
      stderr: "inherit",
      env: { NO_COLOR: "1" },
    }).spawn();
  const server = probe("server");
  await relay.until("the server is there", async () => await relay.counter("members") === 1);
  const running = probe("client", "--srt", "-d", "3s", "--rate", "5");
  await relay.until("octets flow", async () => {
    const { detail } = (await relay.status()).services.stream_relay;
    return detail?.srt_sessions?.[0]?.mbps_up > 1;
  });
  const metrics = await (await fetch(`http://127.0.0.1:${relay.controlPort}/metrics`)).text();
  assert(/busbar_relay_session_octets_up_total\{.*kind="srt".*\} \d{4,}/.test(metrics));
  const { code, stdout } = await running.output();
  const report = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals([code, report.transport, report.loss_frames], [0, "srt", 0]);
  assert(report.sent_frames > 500 && report.rtt_ms_p50 > 0, JSON.stringify(report));
  server.kill("SIGTERM");
  assertEquals((await server.status).code, 0);
  await server.stdout.cancel();
});

Deno.test("An end that asks for a word is given one over SRT too; the operator ends a session", async () => {
  await using relay = await RelayProcess.start({ ports: 2 });
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  const grant = await grantSrt(server, client);
  const { signal } = new AbortController();
  const call = async (fields: Record<string, unknown>) => {
    const conn = await SrtConn.call("127.0.0.1", grant.srt_port, signal);
    const hello = { "session_id": grant.session_id, ack: true, ...fields };
    await conn.write(new TextEncoder().encode(`V4HELLO ${JSON.stringify(hello)}\n`));
    return conn;
  };
  const heard = async (conn: SrtConn) => new TextDecoder().decode(await conn.read());
  await using near = await call({ role: "client", id: "c1" });
  await using wrong = await call({ role: "server", id: "s1", ticket: "wrong" });
  assertEquals(await heard(wrong), 'V4ERR {"code":503,"error":"503 ticket_mismatch"}\n');
  assertEquals(await wrong.read(), undefined, "and closed");
  await using far = await call({ role: "server", id: "s1" });
  const answer = `V4OK {"session_id":"${grant.session_id}"}\n`;
  assertEquals([await heard(near), await heard(far)], [answer, answer]);
  await near.write(new TextEncoder().encode("through"));
  assertEquals(await heard(far), "through");
  await relay.until("the session is shown", async () => {
    const { detail } = (await relay.status()).services.stream_relay;
    return detail?.srt_sessions?.length === 1;
  });
  const kick = await fetch(`http://127.0.0.1:${relay.controlPort}/relay/kick`, {
    method: "POST",
    body: JSON.stringify({ "session_id": grant.session_id }),
  });
  assertEquals(await kick.json(), { ok: true });
  assertEquals([await near.read(), await far.read()], [undefined, undefined]);
});

Deno.test("What cannot be opened is told in one line, and no bug", async () => {
  for (const [from, to] of [["file:///nowhere/x", "-"], ["-", "file:///nowhere/x"]] as const) {
    const child = transmit(from, to);
    if (from === "-") await child.stdin.close();
    const { code, text } = await wordsOf(child);
    assertEquals([code, text.trim().split("\n").length], [1, 1], text);
    assert(text.includes("Cannot open /nowhere/x"), text);
  }
});

Deno.test("A second relay on the same ports waits, says what to do, and takes over when it can", async () => {
  await using first = await RelayProcess.start({ ports: 2 });
  const tcp = { "port_range": `${first.firstPort}-${first.firstPort + 1}` };
  await using second = await RelayProcess.start({ ports: 2, tcp, eager: true });
  await second.until("the reason is told", async () => {
    try {
      const { why } = (await second.status()).services.stream_relay;
      return /another program has it; set tcp.port_range/.test(why ?? "");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It does not listen yet.
      return false;
    }
  });
  assertEquals((await first.status()).services.stream_relay.state, "up");
  await first.end("SIGKILL");
  await second.until("it has taken over", async () => {
    return (await second.status()).services.stream_relay.state === "up";
  });
});
