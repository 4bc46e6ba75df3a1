import { runCli } from "../../../../src/app/cli.ts";
import { decodeRelayCommand } from "../../../../src/app/commands/decode_relay.ts";
import { assertEquals } from "../../../assert.ts";
import { createScreen } from "../terminals.ts";

const LINE = 'V4HELLO {"role":"client","session_id":"01","id":"c1"}';

async function decode(...words: string[]): Promise<[number, unknown]> {
  const screen = createScreen();
  const { signal } = new AbortController();
  const all = ["decode", "v4relay", ...words];
  const code = await runCli(all, [decodeRelayCommand], screen.terminal, signal);
  return [code, screen.out.length === 0 ? undefined : JSON.parse(screen.out[0]!)];
}

Deno.test("A hello line is shown, as text and in hexadecimal", async () => {
  const size = LINE.length + 1;
  const hello = {
    kind: "hello",
    role: "client",
    sessionId: "01",
    id: "c1",
    ticket: "",
    ack: false,
  };
  const octets = Array.from(
    new TextEncoder().encode(LINE),
    (octet) => octet.toString(16).padStart(2, "0"),
  );
  assertEquals(await decode(LINE), [0, { ...hello, size }]);
  assertEquals(await decode(octets.join(" ")), [0, { ...hello, size }]);
});

Deno.test("A control message is shown, or why a relay would not take it", async () => {
  assertEquals(await decode('{"type":"cancel","payload":{"request_id":"r"}}'), [
    0,
    { kind: "cancel", requestId: "r" },
  ]);
  const [code, refused] = await decode('{"type":"register","payload":{"role":"server"}}');
  assertEquals([code, (refused as { error: string }).error], [1, "502 missing id/token"]);
  assertEquals((await decode('{"type":"x"}'))[0], 1);
  assertEquals((await decode("{nonsense"))[0], 1);
  assertEquals((await decode("V4HELLO nonsense"))[0], 1);
});

Deno.test("A frame of the video test is shown, or that it is not whole", async () => {
  const hex = "56345654010100000000000000000007" + "17979cfe362a0000" + "00".repeat(16) +
    "352441c200000003616263";
  assertEquals(await decode(hex), [0, {
    kind: "video",
    type: "data",
    sequence: "7",
    sentNs: "1700000000000000000",
    serverReceivedNs: "0",
    serverSentNs: "0",
    octets: 3,
  }]);
  assertEquals(await decode(hex.slice(0, -2)), [1, {
    kind: "refused",
    why: "the frame is not whole",
  }]);
});
