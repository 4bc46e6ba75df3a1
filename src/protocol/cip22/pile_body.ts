/**
 * What of a pile carries current, and what it knows: its state by the table, the relay, the meter,
 * the charge that goes on, its faults. Actions of the table are done in their order, relay first;
 * after each step the relay is read back.
 * @module
 */
import { after, type Instant, type Millis, seconds, since } from "../../base/time.ts";
import type { PileKey } from "./auth.ts";
import type { Message, MessageOf } from "./messages.ts";
import type { FirmwareOptions } from "./pile_firmware.ts";
import {
  NEW_PILE,
  type Pile,
  PILE_STATES,
  type PileAction,
  type PileEvent,
  pileStep,
} from "./pile_state.ts";
import { Charge, TradeBook } from "./pile_trades.ts";
import { graceOf, isValidAt, type Policy } from "./policy.ts";

/** The part of a pile that carries current. Its calls return when the contactor has moved. */
export interface PileHardware {
  openRelay(): void;
  closeRelay(): void;
  /** Read back; one that is stuck reads closed after `openRelay`. */
  readonly relayClosed: boolean;
}

/** Faults that a pile finds by itself; below 0x0100 are those that it is told of. */
export const PILE_FAULT = {
  /** The relay was opened and reads closed. */
  relayStuck: 0x0101,
  /** The relay was closed and reads open. */
  relayOpen: 0x0102,
  /** A new image does not start; the old one runs. */
  rolledBack: 0x0103,
  /** No image starts. */
  bricked: 0x0104,
  /** An image did not come whole. */
  upgradeFailed: 0x0105,
} as const;

/** Something that is wrong with a pile. */
export interface PileFault {
  /** u16. */
  readonly code: number;
  /** It endangers people. */
  readonly hazard: boolean;
  readonly text?: string;
}

/** What a pile is, and what may be chosen. */
export interface PileDeviceOptions extends FirmwareOptions {
  readonly pile: string;
  /** Watts that it can give. */
  readonly power: number;
  /** Watt-hours after which a vehicle is full; absent: never. */
  readonly full?: number | undefined;
  readonly reportEvery: Millis;
  /** How long charging goes on without a gateway, where no policy says so. */
  readonly grace: Millis;
  /** Whose policies are taken; absent: their signature is not tried. */
  readonly policyKey?: PileKey | undefined;
  /** How long a start of the device takes. */
  readonly rebootTakes: Millis;
  /** How long a piece of an image may be waited for. */
  readonly pieceWithin: Millis;
  /** Trade records that are kept. */
  readonly trades: number;
}

/** How often it looks at the relay, and at what was charged. */
const CHECK_EVERY = seconds(1);
/** Faults that are told when a connection begins. */
const FAULTS_TOLD = 64;
/** Alarms that wait until somebody can be told. */
const NOTICES_MAX = 32;
/** Octets of a text in a message. */
const TEXT_MAX = 255;
const MS_PER_HOUR = 3_600_000;
const NEVER = Infinity as Instant;

/** The one port of a pile. */
export const PILE_PORT = 1;

/** As much of a text as a message may have. */
export function shortText(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(TEXT_MAX));
  return text.slice(0, read);
}

/** See the module. What it has to tell gathers in `out`, which its owner empties. */
export class PileBody {
  readonly trades: TradeBook;
  readonly out: Message[] = [];
  /** A status is to be told. */
  toReport = false;
  online = false;
  policy: Policy | undefined;
  /** What the gateway's clock is ahead of ours. */
  ahead = 0;
  alarms = 0;
  plugLocked = false;
  operable = true;
  #pile: Pile = NEW_PILE;
  #limit: number | undefined;
  /** Of this charge only. */
  #chargeLimit: number | undefined;
  #charge: Charge | undefined;
  #lastBegin = -1;
  /** Watt-hours, ever. */
  #meter = 0;
  readonly #faults = new Map<number, PileFault>();
  #notices: Message[] = [];
  #now: Instant;
  #epoch: number;
  #graceUntil: Instant = NEVER;

  constructor(
    readonly options: PileDeviceOptions,
    readonly hardware: PileHardware,
    now: Instant,
    epoch: number,
  ) {
    this.trades = new TradeBook(options.trades);
    [this.#now, this.#epoch] = [now, epoch];
  }

  /** As the table of states has it. */
  get pile(): Pile {
    return this.#pile;
  }

  /** When it was last told what time it is. */
  get now(): Instant {
    return this.#now;
  }

  /** Epoch milliseconds of the gateway's clock, as far as that is known. */
  get time(): number {
    return Math.max(0, Math.round(this.#epoch + this.ahead));
  }

  /** Whether a charge goes on. */
  get charging(): boolean {
    return this.#charge !== undefined;
  }

  /** Faults that are not gone, those first that endanger people. */
  get faults(): readonly PileFault[] {
    return [...this.#faults.values()].sort((one, other) =>
      Number(other.hazard) - Number(one.hazard)
    );
  }

  /** The least of the limits that were set; undefined when none was. */
  get limit(): number | undefined {
    return this.#chargeLimit ?? this.#limit;
  }

  /** Watts that flow. */
  get power(): number {
    if (!this.hardware.relayClosed) return 0;
    const { power } = this.options;
    return Math.min(power, this.limit ?? power, this.policy?.maxPowerW ?? power);
  }

  /** When it has to be told the time again; {@linkcode Infinity} when it need not. */
  get deadline(): Instant {
    const check = this.hardware.relayClosed ? after(this.#now, CHECK_EVERY) : NEVER;
    return Math.min(check, this.#graceUntil) as Instant;
  }

  /** Time has passed: energy has flowed, and what is due is done. */
  advance(now: Instant, epoch: number): void {
    const wattHours = this.power * Math.max(0, since(this.#now, now)) / MS_PER_HOUR;
    [this.#now, this.#epoch] = [now, epoch];
    this.#meter += wattHours;
    this.#charge?.add(wattHours);
    this.#checkRelay();
    if (!this.hardware.relayClosed) {
      this.clear(PILE_FAULT.relayStuck);
      this.clear(PILE_FAULT.relayOpen);
    }
    if ((this.#charge?.wattHours ?? 0) >= (this.options.full ?? Infinity)) {
      this.step({ kind: "stop" });
    }
    this.#checkGrace();
  }

  /** Lets something happen to it, by the table. @returns Why nothing was done. */
  step(event: PileEvent): string | undefined {
    const { pile, actions, refused } = pileStep(this.#pile, event);
    if (refused !== undefined) return refused;
    this.#pile = pile;
    for (const action of actions) this.#do(action);
    this.#checkRelay();
    const { state } = this.#pile;
    // A fault may have ended what had locked it.
    if (state === "standby") this.operable = true;
    // Nobody could be lost while it was being upgraded; now it is as it is.
    if (!this.online && state !== "offline" && state !== "upgrading") this.step({ kind: "lost" });
    if (this.online) this.#graceUntil = NEVER;
    this.#checkGrace();
    return undefined;
  }

  /** Starts a charge. @param limit Watts, for this charge only. @returns Why not. */
  start(limit: number | undefined): string | undefined {
    const why = this.step({ kind: "start" });
    if (why !== undefined) return why;
    if (!this.#charge) return "its relay does not close";
    this.#chargeLimit = limit;
    return undefined;
  }

  /** No more than so many watts from now on. */
  limitTo(limit: number): void {
    this.#charge?.read(this.time);
    this.#limit = limit;
    this.#chargeLimit = undefined;
    this.toReport = true;
  }

  /** From now on another policy says what may be done. */
  use(policy: Policy): void {
    this.#charge?.read(this.time);
    this.policy = policy;
    this.toReport = true;
  }

  /** Something is wrong. */
  raise(fault: PileFault): void {
    const known = this.#faults.get(fault.code);
    if (known && known.hazard >= fault.hazard) return;
    this.#faults.set(fault.code, fault);
    this.step({ kind: "fault", hazard: fault.hazard });
    this.#tell(this.#faultOf(fault, false));
  }

  /** Something is not wrong any more. */
  clear(code: number): void {
    const fault = this.#faults.get(code);
    if (!fault || !this.#faults.delete(code)) return;
    this.#tell(this.#faultOf(fault, true));
    if (this.#faults.size === 0) this.step({ kind: "cleared" });
  }

  /** An alarm about something that is over; it is told when somebody hears it. */
  notice(code: number, text: string): void {
    const fault = { code, hazard: false, text };
    const both = [this.#faultOf(fault, false), this.#faultOf(fault, true)];
    if (this.online) this.out.push(...both);
    else this.#notices = [...this.#notices, ...both].slice(-NOTICES_MAX);
  }

  /** What somebody has to know who comes now. */
  backlog(): Message[] {
    const faults = this.faults.slice(0, FAULTS_TOLD).map((fault) => this.#faultOf(fault, false));
    return [...this.#notices.splice(0), ...faults, ...this.trades.records];
  }

  /** How it is. */
  status(version: string): MessageOf<"status"> {
    const { limit, policy } = this;
    const [worst] = this.faults;
    return {
      kind: "status",
      port: PILE_PORT,
      state: PILE_STATES.indexOf(this.#pile.state),
      closed: this.hardware.relayClosed,
      power: Math.round(this.power),
      energy: Math.floor(this.#meter),
      ...limit !== undefined && { limit },
      ...worst && { reason: worst.code },
      hazard: this.#pile.hazard,
      ...policy && { policyVersion: policy.version },
      version,
      time: this.time,
    };
  }

  #do(action: PileAction): void {
    if (action === "open_relay") this.hardware.openRelay();
    else if (action === "close_relay") this.#close();
    else if (action === "end_session") this.#endCharge();
    else if (action === "lock_operation") this.operable = false;
    else if (action === "unlock_operation") this.operable = true;
    else if (action === "start_grace") this.#graceUntil = after(this.#now, this.#grace());
    else if (action === "raise_alarm") this.alarms += 1;
    else if (action === "report") this.toReport = true;
    // The others are for what survives a restart: here nothing is lost by one. The restart itself
    // comes when the image has.
  }

  #close(): void {
    this.hardware.closeRelay();
    if (!this.hardware.relayClosed) return;
    this.plugLocked = true;
    // Its name is made of it, and the clock may have been set back.
    this.#lastBegin = Math.max(this.#lastBegin + 1, this.time);
    this.#charge = new Charge(this.#lastBegin, this.policy);
  }

  #endCharge(): void {
    const record = this.#charge?.end(this.options.pile, this.time);
    this.#charge = this.#chargeLimit = undefined;
    if (!record) return;
    this.trades.add(record);
    this.#tell(record);
  }

  #checkRelay(): void {
    const { relayClosed } = this.hardware;
    if (relayClosed === this.#pile.closed) return;
    this.raise(
      relayClosed
        ? { code: PILE_FAULT.relayStuck, hazard: true, text: "the relay does not open" }
        : { code: PILE_FAULT.relayOpen, hazard: false, text: "the relay does not stay closed" },
    );
  }

  #grace(): Millis {
    const { policy } = this;
    const told = policy?.offline.graceS !== undefined && isValidAt(policy, this.time);
    return told ? graceOf(policy) : this.options.grace;
  }

  /** Nobody is there: may it go on? */
  #checkGrace(): void {
    if (this.#now < this.#graceUntil) return;
    const { policy } = this;
    const goesOn = policy?.offline.keepCharging && isValidAt(policy, this.time) && this.charging;
    this.#graceUntil = goesOn ? after(this.#now, CHECK_EVERY) : NEVER;
    if (!goesOn) this.step({ kind: "grace_over" });
  }

  #tell(message: Message): void {
    if (this.online) this.out.push(message);
  }

  #faultOf({ code, hazard, text }: PileFault, cleared: boolean): MessageOf<"fault"> {
    const told = text === undefined ? {} : { text: shortText(text) };
    const rest = { reason: code, hazard, cleared, ...told, time: this.time };
    return { kind: "fault", port: PILE_PORT, ...rest };
  }
}
