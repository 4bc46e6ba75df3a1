/**
 * A pile as it behaves behind its `PileLink`: it does what the table of states says, relay first,
 * answers commands, counts energy, and goes on by itself while nobody can be reached.
 *
 * | what happens | what it does |
 * |---|---|
 * | a command | answers it, done or refused and why; what it changed is told before the answer |
 * | communication is lost while it charges | goes on for the grace, or while the policy lets it |
 * | the relay is not what it was told to be | a fault; one that stays closed endangers people |
 * | a charge ends | a trade record, sent with each connection until the gateway has it |
 * | an image is offered | opens the relay, takes pieces, starts again from the other slot |
 *
 * It has no timers: its owner calls `tick` at {@linkcode PileDevice.deadline}, and sends what the
 * calls return, in its order. A tick that comes late does late what is due.
 * @module
 */
import { after, type Instant, seconds } from "../../base/time.ts";
import { type Message, type MessageOf, RESULT } from "./messages.ts";
import {
  PILE_FAULT,
  PILE_PORT,
  PileBody,
  type PileDeviceOptions,
  type PileFault,
  type PileHardware,
  shortText,
} from "./pile_body.ts";
import { Firmware } from "./pile_firmware.ts";
import type { Pile } from "./pile_state.ts";
import { type TradeBook, TRADES_MAX } from "./pile_trades.ts";
import { type Policy, readPolicy, supersedes } from "./policy.ts";

/** What need not be told of a pile. */
export const PILE_DEVICE = {
  hardware: "busbar-sim",
  version: "1.0.0",
  power: 7000,
  reportEvery: seconds(1),
  grace: seconds(60),
  rebootTakes: seconds(2),
  pieceWithin: seconds(120),
  trades: TRADES_MAX,
} as const satisfies Partial<PileDeviceOptions>;

type Command = Extract<Message, { readonly ticket: number }>;
type Verdict = Pick<MessageOf<"answer">, "result" | "text" | "offset">;

const NEVER = Infinity as Instant;
/** Versions of policies are told as u32. */
const VERSION_MAX = 0xffff_ffff;
const STUCK = "its relay does not open";
const DONE: Verdict = { result: RESULT.done };

function refused(text: string): Verdict {
  return { result: RESULT.refused, text: shortText(text) };
}

/** See the module. */
export class PileDevice {
  readonly firmware: Firmware;
  readonly #body: PileBody;
  #unexpected = 0;
  #reportAt: Instant = NEVER;
  #pieceUntil: Instant = NEVER;
  #startsAt: Instant = NEVER;

  constructor(
    options: Pick<PileDeviceOptions, "pile"> & Partial<PileDeviceOptions>,
    hardware: PileHardware,
    now: Instant,
    epoch: number,
  ) {
    const all = { ...PILE_DEVICE, ...options };
    this.firmware = new Firmware(all);
    this.#body = new PileBody(all, hardware, now, epoch);
  }

  /** As the table of states has it. */
  get pile(): Pile {
    return this.#body.pile;
  }

  /** It starts: its owner ends the connection, and makes none until it does not any more. */
  get rebooting(): boolean {
    return this.#startsAt !== NEVER;
  }

  /** The plug cannot be drawn. */
  get plugLocked(): boolean {
    return this.#body.plugLocked;
  }

  /** Whether a person may operate it. */
  get operable(): boolean {
    return this.#body.operable;
  }

  /** The policy that it has. */
  get policy(): Policy | undefined {
    return this.#body.policy;
  }

  /** Faults that are not gone, those first that endanger people. */
  get faults(): readonly PileFault[] {
    return this.#body.faults;
  }

  /** Records that the gateway may not have. */
  get trades(): TradeBook {
    return this.#body.trades;
  }

  /** Alarms that the table of states has asked for. */
  get alarms(): number {
    return this.#body.alarms;
  }

  /** Messages that came and mean nothing to a pile. */
  get unexpected(): number {
    return this.#unexpected;
  }

  /** When `tick` has something to do. */
  get deadline(): Instant | undefined {
    const report = this.#body.online && !this.rebooting ? this.#reportAt : NEVER;
    const next = Math.min(this.#body.deadline, report, this.#pieceUntil, this.#startsAt);
    return next === NEVER ? undefined : next as Instant;
  }

  /** The gateway believes it. @returns Who it is, what is still to be told, and how it is. */
  connected(now: Instant, epoch: number): Message[] {
    const body = this.#body;
    body.advance(now, epoch);
    body.out.length = 0;
    body.online = true;
    this.#tellRegister();
    body.step({ kind: "connected" });
    body.out.push(...body.backlog());
    this.firmware.told();
    body.toReport = true;
    return this.#flush();
  }

  /** Communication is lost. */
  lost(now: Instant, epoch: number): void {
    const body = this.#body;
    body.advance(now, epoch);
    body.online = false;
    body.out.length = 0;
    body.step({ kind: "lost" });
  }

  /** Time has passed. */
  tick(now: Instant, epoch: number): Message[] {
    this.#advance(now, epoch);
    if (now >= this.#startsAt) this.#start();
    if (now >= this.#pieceUntil) this.#giveUp("no more of the image came");
    if (now >= this.#reportAt) this.#body.toReport = true;
    return this.#flush();
  }

  /** Something is wrong, or is not any more. */
  fault(fault: PileFault, cleared: boolean, now: Instant, epoch: number): Message[] {
    this.#advance(now, epoch);
    if (cleared) this.#body.clear(fault.code);
    else this.#body.raise(fault);
    return this.#flush();
  }

  /**
   * The gateway says something.
   * @returns What is said to it, the answer last. Without an answer stay those that have no ticket:
   * heartbeats, the time, what confirms a trade.
   */
  take(message: Message, now: Instant, epoch: number): Message[] {
    this.#advance(now, epoch);
    if (message.kind === "timeSync") this.#body.ahead = message.time - epoch;
    else if (message.kind === "tradeAck") this.trades.taken(message.trade);
    else if ("ticket" in message && message.kind !== "answer") {
      const rest = { ticket: message.ticket, ...this.#obey(message) };
      return [...this.#flush(), { kind: "answer", to: message.kind, ...rest }];
    } else if (message.kind !== "heartbeat") this.#unexpected += 1;
    return this.#flush();
  }

  #advance(now: Instant, epoch: number): void {
    this.#body.advance(now, epoch);
    // A fault has ended the upgrade.
    if (this.#pieceUntil !== NEVER && this.pile.state !== "upgrading") this.#giveUp("");
  }

  #obey(command: Command): Verdict {
    if (this.rebooting) return refused("it restarts");
    if ("port" in command && command.port !== undefined && command.port !== PILE_PORT) {
      return refused(`it has no port ${command.port}`);
    }
    switch (command.kind) {
      case "start":
        return verdictOf(this.#body.start(command.limit));
      case "stop":
        return this.#stop();
      case "confirm":
        return verdictOf(this.#body.step({ kind: "confirmed" }));
      case "limit":
        return this.#limit(command.limit);
      case "unlock":
        return this.#unlock();
      case "setPolicy":
        return this.#setPolicy(command.policy);
      case "read":
        this.#tellRegister();
        this.#body.toReport = true;
        return DONE;
      case "portQuery":
        this.#body.toReport = true;
        return DONE;
      case "restart":
        return this.#restart();
      case "upgrade":
        return this.#upgrade(command);
      default:
        return refused("a pile does not take that");
    }
  }

  #stop(): Verdict {
    const why = this.#body.step({ kind: "stop" });
    return verdictOf(why ?? (this.#body.hardware.relayClosed ? STUCK : undefined));
  }

  #limit(limit: number): Verdict {
    if (this.pile.state === "upgrading") return refused("it is being upgraded");
    this.#body.limitTo(limit);
    return DONE;
  }

  #unlock(): Verdict {
    if (this.pile.state !== "standby") return refused(`it is in ${this.pile.state}`);
    this.#body.plugLocked = false;
    return DONE;
  }

  #setPolicy(text: string): Verdict {
    const { policyKey } = this.#body.options;
    const read = readPolicy(text, policyKey);
    if ("fault" in read) return refused(read.fault);
    const { id, version } = read.policy;
    const old = this.policy;
    if (old && !supersedes(old, read.policy)) {
      return refused(`it has version ${old.version} of ${id}, and ${version} is no later one`);
    }
    if (version > VERSION_MAX) return refused("the version is too great to be told");
    this.#body.use(read.policy);
    return DONE;
  }

  #restart(): Verdict {
    if (this.pile.state === "upgrading") return refused("it is being upgraded");
    const stopped = this.#stop();
    if (stopped === DONE) this.#reboot();
    return stopped;
  }

  #upgrade({ size, offset, data }: MessageOf<"upgrade">): Verdict {
    return offset === undefined ? this.#offered(data, size) : this.#piece(offset, data);
  }

  #offered(head: Uint8Array, size: number | undefined): Verdict {
    if (this.pile.state === "upgrading") {
      return this.firmware.isComing(head) ? this.#more() : refused("it is being upgraded");
    }
    const why = this.firmware.offer(head, size) ?? this.#body.step({ kind: "upgrade" });
    // Its relay may have been found stuck on the way there.
    if (why === undefined && this.#isUpgrading()) return this.#more();
    this.firmware.drop();
    return refused(why ?? STUCK);
  }

  #isUpgrading(): boolean {
    return this.pile.state === "upgrading";
  }

  #more(): Verdict {
    this.#pieceUntil = after(this.#body.now, this.#body.options.pieceWithin);
    return { result: RESULT.more, offset: this.firmware.wanted ?? 0 };
  }

  #piece(offset: number, data: Uint8Array): Verdict {
    const result = this.firmware.piece(offset, data);
    if (!result) return refused("no image was offered");
    if (result.kind === "more") return this.#more();
    if (result.kind === "refused") {
      return { ...refused(Firmware.why(result)), offset: result.wanted };
    }
    const why = result.kind === "failed" ? Firmware.why(result) : this.firmware.install();
    if (why === undefined) {
      this.#reboot();
      return DONE;
    }
    this.#giveUp(why);
    return refused(why);
  }

  #reboot(): void {
    this.#pieceUntil = NEVER;
    this.#startsAt = after(this.#body.now, this.#body.options.rebootTakes);
  }

  /** The device starts; a new image that does not is tried some times. */
  #start(): void {
    this.#startsAt = NEVER;
    const started = this.firmware.start();
    if (started === "again") return this.#reboot();
    if (started === "bricked") {
      this.#body.step({ kind: "bricked" });
      return this.#body.raise({ code: PILE_FAULT.bricked, hazard: false, text: "nothing starts" });
    }
    if (started === "rolled_back") {
      this.#body.notice(PILE_FAULT.rolledBack, "the new image does not start; the old one runs");
    }
    if (started !== "running") this.#body.step({ kind: started });
  }

  /** The image that runs goes on. */
  #giveUp(why: string): void {
    this.#pieceUntil = NEVER;
    this.firmware.drop();
    if (!this.#isUpgrading()) return;
    this.#body.notice(PILE_FAULT.upgradeFailed, why);
    this.#body.step({ kind: "rolled_back" });
  }

  #tellRegister(): void {
    const { hardware, power } = this.#body.options;
    this.#body.out.push({ kind: "register", hardware, version: this.firmware.version, power });
  }

  /** What gathered, and how it is now if that is to be told. */
  #flush(): Message[] {
    const body = this.#body;
    const told = body.out.splice(0);
    if (!body.online) return [];
    if (body.toReport) {
      told.push(body.status(this.firmware.version));
      this.#reportAt = after(body.now, body.options.reportEvery);
    }
    body.toReport = false;
    return told;
  }
}

/** @param why Why it was not done. */
function verdictOf(why: string | undefined): Verdict {
  return why === undefined ? DONE : refused(why);
}
