/** `busbar goose capture`: frames of an interface into a file that Wireshark reads. */
import { OsError } from "../../base/errors.ts";
import { after, millis } from "../../base/time.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { PacketReceiver } from "../../platform/linux/packet.ts";
import { LinuxPoller } from "../../platform/linux/poll.ts";
import { pcapngEnd, pcapngHead, pcapngPacket } from "../../wire/pcapng.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { judge } from "../goose_frames.ts";
import { VERSION } from "../version.ts";

const NAME = "goose capture";
/** Longest time that an interrupt has to wait. */
const WAIT_MS = 50;
/** Batches between two looks at the interrupt. */
const BATCHES = 32;
/** Octets that are gathered for one write. */
const WRITE_SIZE = 256 * 1024;
const STDOUT = "-";

/** The command. */
export const gooseCaptureCommand: Command = {
  name: NAME,
  summary: "Record frames of an interface as pcapng, for Wireshark",
  details: "Takes GOOSE, GSE management and sampled values, with their VLAN tags; --all takes " +
    "every frame. The file is whole after an interrupt, and its end tells what the kernel " +
    "dropped.\n\nExit code 1 when --duration passed before --count frames came. Needs root, or " +
    "the capability NET_RAW.",
  options: [
    {
      name: "interface",
      short: "i",
      value: "NAME",
      complete: "interface",
      summary: "Where to listen: a TAP, or any Ethernet interface",
    },
    {
      name: "write",
      short: "w",
      value: "FILE",
      complete: "file",
      summary: "The file; - is standard output",
    },
    { name: "count", short: "n", value: "N", summary: "End after so many frames" },
    { name: "duration", short: "d", value: "SPAN", summary: "End after this time, such as 10s" },
    { name: "appid", value: "ID", summary: "Take GOOSE of this APPID only, such as 0x1000" },
    { name: "all", short: "a", summary: "Take frames of any EtherType" },
    { name: "outgoing", summary: "Take what this host itself sends too" },
  ],
  args: [],
  examples: [
    "busbar goose capture -i goose0 -w trip.pcapng --duration 1m",
    "busbar goose capture -i eth1 -w - | wireshark -k -i -",
  ],
  run: (call) => capture(call),
};

async function capture(call: Invocation): Promise<number> {
  const given = new Arguments(NAME, call);
  const count = given.whole("count", 1, 1e15) ?? Infinity;
  const duration = given.span("duration");
  const appId = given.whole("appid", 0, 0xffff);
  const name = given.required("interface");
  const path = given.required("write");
  using receiver = PacketReceiver.open({
    interface: name,
    filter: given.flag("all") === true ? "all" : "station",
    promiscuous: true,
    outgoing: given.flag("outgoing") ?? false,
  });
  const poller = new LinuxPoller();
  poller.watch(receiver);
  const clock = new SystemClock();
  using file = new CaptureFile(path, name);
  const end = duration === undefined ? Infinity : after(clock.now(), duration);
  const full = () => file.frames >= count;
  const wanted = { appId, gocbRef: undefined, destination: undefined, vlan: undefined };
  const take = (frame: Uint8Array, epochMs: number) => {
    if (full() || (appId !== undefined && judge(frame, wanted).kind === "refused")) return;
    file.add(frame, epochMs);
  };
  let lost: OsError | undefined;
  try {
    while (!call.signal.aborted && !full() && clock.now() < end) {
      poller.wait(Math.ceil(Math.max(0, Math.min(WAIT_MS, end - clock.now()))));
      for (let batch = 0; batch < BATCHES && !full(); batch += 1) {
        if (receiver.receive(take) === 0) break;
      }
      file.flush();
      // Blocking in poll(2) keeps the signal from being seen; this is its turn.
      await pause(clock, millis(0), call.signal);
    }
  } catch (error) {
    // The interface has gone: what was captured until then is whole all the same.
    if (!(error instanceof OsError) || error.code === FILE_CODE) throw error;
    lost = error;
  }
  // What the kernel has received already belongs to the capture.
  for (let batch = 0; batch < BATCHES && !full(); batch += 1) {
    if (receiver.receive(take) === 0) break;
  }
  const dropped = receiver.dropped();
  file.end(dropped, clock.epoch() * 1000);
  const plural = file.frames === 1 ? "frame" : "frames";
  call.terminal.err(`${file.frames} ${plural} in ${path}, ${dropped} dropped by the kernel`);
  if (lost) throw lost;
  return count === Infinity || full() || call.signal.aborted ? EXIT.ok : EXIT.failed;
}

const FILE_CODE = "os.capture";

/** The file, written in large pieces. */
class CaptureFile implements Disposable {
  frames = 0;
  readonly #file: { writeSync(octets: Uint8Array): number; close(): void };
  #parts: Uint8Array[] = [];
  #size = 0;

  constructor(readonly path: string, interfaceName: string) {
    try {
      this.#file = path === STDOUT
        ? { writeSync: (octets) => Deno.stdout.writeSync(octets), close: () => {} }
        : Deno.openSync(path, { write: true, create: true, truncate: true });
    } catch (error) {
      throw this.#failure(error);
    }
    this.#put(pcapngHead(`busbar ${VERSION}`, interfaceName));
    this.flush();
  }

  add(frame: Uint8Array, epochMs: number): void {
    this.frames += 1;
    this.#put(pcapngPacket(frame, Math.round(epochMs * 1000)));
  }

  end(dropped: number, micros: number): void {
    this.#put(pcapngEnd(this.frames + dropped, dropped, micros));
    this.flush();
  }

  flush(): void {
    try {
      for (const part of this.#parts.splice(0)) {
        for (let at = 0; at < part.length;) at += this.#file.writeSync(part.subarray(at));
      }
    } catch (error) {
      throw this.#failure(error);
    }
    this.#size = 0;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #put(octets: Uint8Array): void {
    this.#parts.push(octets);
    this.#size += octets.length;
    if (this.#size >= WRITE_SIZE) this.flush();
  }

  #failure(cause: unknown): OsError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new OsError(FILE_CODE, `Cannot write ${this.path}: ${why}`, { errno: "EIO" }, { cause });
  }
}
