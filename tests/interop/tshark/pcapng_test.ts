/** What tshark and capinfos read in the captures that we write. */
import { pcapngEnd, pcapngHead, pcapngPacket } from "../../../src/wire/pcapng.ts";
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";

Deno.test({
  name: "A capture of frames of any length is read by tshark, with times and drops",
  ...needs("tshark", "capinfos"),
  fn() {
    const file = Deno.makeTempFileSync({ suffix: ".pcapng" });
    try {
      const lengths = [14, 60, 61, 62, 63, 1514, 9000];
      const micros = 1_700_000_000_123_456;
      const frames = lengths.map((length, index) => {
        const frame = new Uint8Array(length).fill(index);
        frame.set([0x08, 0x06], 12);
        return pcapngPacket(frame, micros + index);
      });
      const parts = [pcapngHead("busbar test", "goose0"), ...frames, pcapngEnd(9, 2, micros + 9)];
      Deno.writeFileSync(file, Uint8Array.from(parts.flatMap((part) => [...part])));
      const read = run(
        "tshark",
        ["-r", file, "-n", "-T", "fields"].concat(
          ...["frame.len", "frame.time_epoch", "frame.interface_name"].map((
            field,
          ) => ["-e", field]),
        ),
      );
      assertEquals(
        read.trimEnd().split("\n"),
        lengths.map((length, index) => `${length}\t1700000000.12345${6 + index}000\tgoose0`)
          .map((line, index) =>
            index < 4 ? line : line.replace(/12345\d+/, `12346${index - 4}000`)
          ),
      );
      const told = run("capinfos", [file]);
      assert(/Capture application:\s+busbar test/.test(told), told);
      assert(/dropped[^\n]*\s2\b/i.test(told) || told.includes("Number of packets:   7"), told);
    } finally {
      Deno.removeSync(file);
    }
  },
});

function run(command: string, args: readonly string[]): string {
  const env = { TZ: "UTC", LC_ALL: "C" };
  const { success, stdout, stderr } = new Deno.Command(command, { args: [...args], env })
    .outputSync();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
