/**
 * The stream relay as its peers meet it: the packed executable on loopback, and raw sockets that
 * write what the protocol says. Nothing here knows busbar's code.
 */
import { sameOctets } from "../../src/base/octets.ts";
import { assert, assertEquals } from "../assert.ts";
import { executable } from "./harness.ts";
import { needs } from "../needs.ts";
import { RelayProcess } from "../relay/busbar.ts";
import {
  type Grant,
  greet,
  helloLine,
  meet,
  Peer,
  readExactly,
  readToEnd,
  writeAll,
} from "../relay/peer.ts";

function pattern(size: number, from = 0): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (from + at) * 7 % 251);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("A client and a server meet; octets, ends and early data come through as they are", async (t) => {
  await using relay = await RelayProcess.start();
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");

  await t.step("both ways, and the end of one direction leaves the other open", async () => {
    const ends = await meet(server, client);
    await writeAll(ends.client, utf8("question"));
    await ends.client.closeWrite();
    const asked = await readToEnd(ends.server);
    assertEquals([new TextDecoder().decode(asked.octets), asked.how], ["question", "end"]);
    await writeAll(ends.server, pattern(3_000_000));
    ends.server.close();
    const answered = await readToEnd(ends.client);
    assertEquals([sameOctets(answered.octets, pattern(3_000_000)), answered.how], [true, "end"]);
    ends.client.close();
    await relay.until("the port is idle", async () => {
      return (await relay.status()).port_state.zmq.idle === 4;
    });
  });

  await t.step("1 MiB sent before the other end is there", async () => {
    await client.send("pair_request", { "request_id": "early", "need_zmq": true });
    const grant = (await client.next("pair_grant")).payload as Grant;
    const other = (await server.next("pair_grant")).payload as Grant;
    const early = pattern(1024 * 1024);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: grant.zmq_port });
    // The line and what follows in one piece.
    const line = helloLine(grant, "client");
    const whole = new Uint8Array(line.length + early.length);
    whole.set(line);
    whole.set(early, line.length);
    await writeAll(conn, whole);
    await conn.closeWrite();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const far = await greet(other, "server");
    const { octets } = await readToEnd(far);
    assertEquals(sameOctets(octets, early), true);
    for (const one of [conn, far]) one.close();
  });

  await t.step("a hello that comes octet by octet", async () => {
    await client.send("pair_request", { "request_id": "slow", "need_zmq": true });
    const grant = (await client.next("pair_grant")).payload as Grant;
    const other = (await server.next("pair_grant")).payload as Grant;
    using far = await greet(other, "server");
    using near = await Deno.connect({ hostname: "127.0.0.1", port: grant.zmq_port });
    near.setNoDelay(true);
    for (const octet of helloLine(grant, "client")) await near.write(Uint8Array.of(octet));
    await writeAll(near, utf8("!"));
    assertEquals(await readExactly(far, 1), utf8("!"));
  });

  await t.step("an answer for who asks, and tickets", async () => {
    await client.send("pair_request", { "request_id": "ack", "need_zmq": true });
    const grant = (await client.next("pair_grant")).payload as Grant;
    const other = (await server.next("pair_grant")).payload as Grant;
    using wrong = await greet(grant, "client", { ticket: other.ticket, ack: true });
    const { octets } = await readToEnd(wrong);
    assertEquals(
      new TextDecoder().decode(octets),
      'V4ERR {"code":503,"error":"503 ticket_mismatch"}\n',
    );
    using near = await greet(grant, "client", { ticket: grant.ticket, ack: true });
    using _far = await greet(other, "server", { ticket: other.ticket });
    const answer = `V4OK {"session_id":"${grant.session_id}"}\n`;
    assertEquals(new TextDecoder().decode(await readExactly(near, answer.length)), answer);
  });
});

Deno.test({ name: "A reset is carried over", ...needs("python3"), fn: resetIsCarriedOver });

async function resetIsCarriedOver(): Promise<void> {
  await using relay = await RelayProcess.start();
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  await client.send("pair_request", { "request_id": "r", "need_zmq": true });
  const grant = (await client.next("pair_grant")).payload as Grant;
  const other = (await server.next("pair_grant")).payload as Grant;
  using far = await greet(other, "server");
  const script = new URL("../peers/relay/reset.py", import.meta.url).pathname;
  const line = new TextDecoder().decode(helloLine(grant, "client"));
  const end = new Deno.Command("python3", { args: [script, `${grant.zmq_port}`, line] }).output();
  assertEquals(await readExactly(far, 1), utf8("x"));
  await writeAll(far, utf8("heard"));
  assertEquals((await readToEnd(far)).how, "reset");
  assert((await end).success);
  assertEquals(await relay.counter("sessions_reset"), 1);
}

Deno.test("Connections that have no business on a data port are closed and counted", async () => {
  await using relay = await RelayProcess.start();
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  await client.send("pair_request", { "request_id": "r", "need_zmq": true });
  const grant = (await client.next("pair_grant")).payload as Grant;
  const other = (await server.next("pair_grant")).payload as Grant;
  const sent = async (octets: Uint8Array, port = grant.zmq_port) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await writeAll(conn, octets);
    await readToEnd(conn);
  };
  await sent(utf8("GET / HTTP/1.1\r\n\r\n"));
  await sent(utf8(`V4HELLO ${"x".repeat(5000)}`));
  await sent(utf8("V4HELLO\n"));
  await sent(utf8("v4hello {}\n"));
  await sent(helloLine({ ...grant, "session_id": "other" }, "client"));
  await sent(helloLine(grant, "client"), grant.zmq_port + 1);
  await sent(helloLine({ ...grant, "client_id": "c2" }, "client"));
  using near = await greet(grant, "client", { extra: { keys: ["are", "fine"] } });
  using far = await greet(other, "server");
  await writeAll(near, utf8("x"));
  await readExactly(far, 1);
  await sent(helloLine(grant, "client"));
  const silent = performance.now();
  using nothing = await Deno.connect({ hostname: "127.0.0.1", port: grant.zmq_port });
  await readToEnd(nothing);
  assert(performance.now() - silent > 1000, "a hello may take two seconds");
  const { counters } = (await relay.status()).services.stream_relay;
  assertEquals(
    ["hello_error", "alloc_mismatch", "id_mismatch", "port_occupied", "hello_timeout"]
      .map((name) => counters[name]),
    [4, 2, 1, 1, 1],
  );
});

Deno.test("A newer connection takes the seat of one that waits; one that died leaves it", async () => {
  await using relay = await RelayProcess.start();
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  await client.send("pair_request", { "request_id": "r", "need_zmq": true });
  const grant = (await client.next("pair_grant")).payload as Grant;
  const other = (await server.next("pair_grant")).payload as Grant;
  using first = await greet(grant, "client");
  using second = await greet(grant, "client");
  await readToEnd(first);
  const dead = await greet(other, "server");
  await relay.until("they met", async () => await relay.counter("sessions") === 1);
  await writeAll(second, utf8("x"));
  await readExactly(dead, 1);
  dead.close();
  assertEquals(await relay.counter("replaced"), 1);
});

Deno.test("The control port: pipelined, split and joined JSON, duplicates, broadcasts", async () => {
  await using relay = await RelayProcess.start();
  const register = (id: string) =>
    JSON.stringify({
      type: "register",
      payload: { role: "server", id, token: "t", "max_conn": 1 },
    });
  using server = await Peer.connect(relay.controlPort);
  for (const letter of register("s1")) await server.raw(letter);
  assertEquals((await server.next("register_ack")).payload, { status: "ok" });
  using twin = await Peer.connect(relay.controlPort);
  await twin.raw(register("s1"));
  assertEquals((await twin.next("register_ack")).payload, {
    status: "error",
    code: 503,
    error: "503 duplicate server id",
  });
  await twin.closed;
  using client = await Peer.connect(relay.controlPort);
  const ask = (id: string) => ({
    type: "pair_request",
    payload: { "request_id": id, "need_zmq": true },
  });
  // Everything in one piece, without a line feed between, and the first over several lines.
  await client.raw(
    JSON.stringify(
      { type: "register", payload: { role: "client", id: "c", token: "t" } },
      null,
      2,
    ) +
      JSON.stringify(ask("a")) + JSON.stringify({ type: "pair_request", payload: {} }) +
      JSON.stringify({ type: "unknown" }) + JSON.stringify({ type: "ping", payload: { seq: 1 } }),
  );
  assertEquals((await client.next("pong")).payload, { seq: 1 });
  const grant = (await server.next("pair_grant")).payload as Grant;
  assertEquals([grant.request_id, grant.client_id], ["a", "c"]);
  await client.next("status");
  await client.next("port_state");
  await client.next("telemetry");
  await client.raw("[1]\n");
  await client.closed;
  using first = await Peer.connect(relay.controlPort);
  await first.send("pair_request", {});
  assertEquals(
    (await first.next("register_ack")).payload.error,
    "502 first message must be register",
  );
  await first.closed;
});

Deno.test("The operator ends a session: both ends are reset", async () => {
  await using relay = await RelayProcess.start();
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  const ends = await meet(server, client);
  await relay.until("the session is shown", async () => {
    return (await relay.status()).services.stream_relay.detail?.sessions?.length === 1;
  });
  const { code, out } = await tool(relay, "kick", ends.grant.session_id);
  assertEquals([code, out], [0, "The session was ended\n"]);
  assertEquals((await readToEnd(ends.client)).how, "reset");
  assertEquals((await readToEnd(ends.server)).how, "reset");
  for (const one of [ends.client, ends.server]) one.close();
});

Deno.test("Ports and capacity run out, and come back", async () => {
  await using relay = await RelayProcess.start({ ports: 2, config: { "auth_timeout": "2s" } });
  using _server = await Peer.register(relay.controlPort, "server", "s1", { "max_conn": 9 });
  using client = await Peer.register(relay.controlPort, "client", "c1");
  // Three at once: two are granted, and the third when the time of one is over.
  const ids = ["a", "b", "c"];
  for (const id of ids) await client.send("pair_request", { "request_id": id, "need_zmq": true });
  const granted: string[] = [];
  for (const _ of ids) granted.push((await client.next("pair_grant")).payload.request_id);
  assertEquals(granted.toSorted(), ids);
  assert(await relay.counter("withdrawn") >= 1);
});

Deno.test("A stop tells the peers, lets a session go on to its end, and leaves with 0", async () => {
  await using relay = await RelayProcess.start({ config: { "shutdown_timeout": "8s" } });
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  const ends = await meet(server, client);
  await writeAll(ends.client, utf8("x"));
  await readExactly(ends.server, 1);
  const end = relay.end();
  assertEquals((await client.next("error")).payload, { code: 504, error: "504 shutting down" });
  await writeAll(ends.client, pattern(500_000));
  await ends.client.closeWrite();
  assertEquals((await readToEnd(ends.server)).octets.length, 500_000);
  for (const one of [ends.client, ends.server]) one.close();
  assertEquals(await end, 0);
});

Deno.test("Floods, and peers that never read, cost nobody else anything", async () => {
  await using relay = await RelayProcess.start();
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  const slow = await meet(server, client, "slow");
  const good = await meet(server, client, "good");
  const never = await Deno.connect({ hostname: "127.0.0.1", port: relay.controlPort });
  await writeAll(
    never,
    utf8(JSON.stringify({
      type: "register",
      payload: { role: "client", id: "deaf", token: "t" },
    })),
  );
  // One that pours and one that never reads: the relay holds what its buffers hold, and no more.
  let poured = 0;
  const pouring = (async () => {
    const chunk = pattern(65_536);
    try {
      for (;;) poured += await slow.client.write(chunk);
    } catch (error) {
      assert(error instanceof Error); // It is cut at the end of this test.
    }
  })();
  const conns: Deno.Conn[] = [];
  for (let times = 0; times < 600; times += 1) {
    for (const port of [relay.controlPort, good.grant.zmq_port]) {
      conns.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    }
    if (times % 20 === 0) {
      await writeAll(good.client, pattern(1000, times));
      assertEquals(sameOctets(await readExactly(good.server, 1000), pattern(1000, times)), true);
    }
  }
  assertEquals((await relay.status()).services.stream_relay.counters.sessions, 2);
  await relay.until("those without a hello are gone", async () => {
    const { counters } = (await relay.status()).services.stream_relay;
    return counters.flooded + counters.hello_timeout >= 600;
  });
  const held = poured;
  assert(held < 64 * 1024 * 1024, `the sender was stopped at ${held}`);
  await writeAll(good.client, utf8("still"));
  assertEquals(await readExactly(good.server, 5), utf8("still"));
  slow.client.close();
  await pouring;
  for (const one of [never, slow.server, good.client, good.server, ...conns]) one.close();
});

Deno.test({
  name: "TLS 1.3 on control and data ports, nothing less, and the same session inside",
  ...needs("openssl"),
  fn: secureRelay,
});

async function secureRelay(): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const made = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
    ],
    stderr: "null",
  }).output();
  assert(made.success);
  const identity = { certificate: cert, key };
  await using relay = await RelayProcess.start({ config: { tls: identity }, ports: 2 });
  const caCerts = [Deno.readTextFileSync(cert)];
  using server = await Peer.register(relay.controlPort, "server", "s1");
  using client = await Peer.register(relay.controlPort, "client", "c1");
  await client.send("pair_request", { "request_id": "r", "need_zmq": true });
  const grant = (await client.next("pair_grant")).payload as Grant;
  const other = (await server.next("pair_grant")).payload as Grant;
  const secure = async (of: Grant, role: "server" | "client") => {
    const conn = await Deno.connectTls({ hostname: "localhost", port: of.zmq_port, caCerts });
    await writeAll(conn, helloLine(of, role));
    return conn;
  };
  const ends = [await secure(grant, "client"), await secure(other, "server")] as const;
  await writeAll(ends[0], pattern(300_000));
  assertEquals(sameOctets(await readExactly(ends[1], 300_000), pattern(300_000)), true);
  await writeAll(ends[1], utf8("back"));
  assertEquals(await readExactly(ends[0], 4), utf8("back"));
  await ends[0].closeWrite();
  assertEquals((await readToEnd(ends[1])).octets.length, 0);
  await writeAll(ends[1], utf8("late"));
  assertEquals(await readExactly(ends[0], 4), utf8("late"), "the end of one direction only");
  for (const one of ends) one.close();
  const old = await new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${grant.zmq_port}`, "-tls1_2"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(new TextDecoder().decode(old.stderr).includes("alert protocol version"));
  await using guarded = await RelayProcess.start({ control: { tls: identity }, ports: 2 });
  using http = Deno.createHttpClient({ caCerts });
  const answer = await fetch(`https://127.0.0.1:${guarded.controlPort}/healthz`, { client: http });
  assertEquals(await answer.text(), "ok\n");
  Deno.removeSync(folder, { recursive: true });
}

async function tool(relay: RelayProcess, ...args: string[]) {
  const [program, ...more] = executable();
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args: [...more, "relay", ...args, "--control", `127.0.0.1:${relay.controlPort}`],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", COLUMNS: "200" },
  }).output();
  const [out, err] = [stdout, stderr].map((octets) => new TextDecoder().decode(octets));
  return { code, out: out!, err: err! };
}

Deno.test("The probe's two ends measure a relay, the sessions are shown, chaos leaves it alive", async () => {
  await using relay = await RelayProcess.start({ ports: 20 });
  const [program, ...more] = executable();
  const control = `127.0.0.1:${relay.controlPort}`;
  const server = new Deno.Command(program!, {
    args: [...more, "relay", "probe", "server", "--control", control],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await relay.until("the server is there", async () => await relay.counter("members") === 1);
  const probing = tool(relay, "probe", "client", "-d", "3s", "--rate", "40", "--drop", "20");
  await relay.until("octets flow", async () => {
    const { detail } = (await relay.status()).services.stream_relay;
    return detail?.sessions?.[0]?.mbps_up > 1;
  });
  const shown = await tool(relay, "sessions");
  assert(/tcp +probe-client +probe-server/.test(shown.out), shown.out);
  const metrics = await (await fetch(`http://${control}/metrics`)).text();
  assert(/busbar_relay_session_octets_up_total\{.*client="probe-client".*\} \d{4,}/.test(metrics));
  const wrong = await tool(relay, "kick", "nobody");
  assertEquals([wrong.code, wrong.err.includes("no such session")], [1, true], wrong.err);
  const { code, out } = await probing;
  const report = JSON.parse(out);
  assertEquals([code, report.loss_frames, report.echo_frames], [0, 0, report.sent_frames]);
  assert(report.dropped_frames > 0 && report.rtt_ms_p50 > 0 && report.goodput_mbps_up > 1, out);
  server.kill("SIGTERM");
  assertEquals((await server.status).code, 0);
  const chaos = await tool(relay, "chaos", "--clients", "40", "-d", "4s", "--delay", "50ms");
  const done = JSON.parse(chaos.out);
  assertEquals([chaos.code, done.relay_answers], [0, true]);
  assert(done.talked + done.broke_off > 0 && done.nonsense_control > 0, chaos.out);
  await relay.until("everything was let go", async () => {
    const { counters } = (await relay.status()).services.stream_relay;
    return counters.sessions === 0 && counters.members === 0;
  }, 60_000);
  assertEquals((await relay.status()).services.stream_relay.restarts, 0);
});
