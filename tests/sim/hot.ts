/** The system of the byte plane in memory: a TAP, a group and interfaces that tests change. */
import { OsError } from "../../src/base/errors.ts";
import type { Instant } from "../../src/base/time.ts";
import {
  type DatagramPort,
  FAULT,
  type FrameBatch,
  type GroupMembership,
  type GroupOptions,
  type GroupPort,
  type HotPlatform,
  type IgmpPort,
  type InterfaceState,
  type Poller,
  type TapOptions,
  type TapPort,
} from "../../src/platform/hot.ts";

import { SimStreams } from "./streams.ts";

/** A frame, or the fault that the call gives instead. */
export type Scripted = Uint8Array | number;

/** A datagram and its source address. */
export interface Datagram {
  readonly octets: Uint8Array;
  readonly from: number;
}

class SimBatch implements FrameBatch {
  readonly octets: Uint8Array;
  readonly start: Int32Array;
  readonly length: Int32Array;
  readonly source: Uint32Array;
  readonly port: Uint16Array;
  count = 0;

  constructor(readonly slots: number, readonly slotSize: number, readonly headroom: number) {
    this.octets = new Uint8Array(slots * slotSize);
    this.start = new Int32Array(slots);
    this.length = new Int32Array(slots);
    this.source = new Uint32Array(slots);
    this.port = new Uint16Array(slots);
  }
}

/** A host. Time stands still but for what waiting takes. */
export class SimHot implements HotPlatform {
  readonly streams = new SimStreams();
  time = 0;
  rests = 0;
  readonly interfaces = new Map<string, InterfaceState>();
  /** What making a TAP or a group fails with; undefined when it works. */
  tapError: OsError | undefined;
  groupError: OsError | undefined;
  /** What bringing a TAP up fails with. */
  upError: OsError | undefined;
  /** The interface of the default route; undefined when there is none. */
  defaultRoute: string | undefined = "eth0";
  readonly opened: string[] = [];
  tap: SimTap | undefined;
  group: SimGroup | undefined;
  igmpError: OsError | undefined;
  /** What is on its way to the raw socket of IGMP; what was sent from there. */
  readonly igmpInput: Uint8Array[] = [];
  readonly reports: { readonly at: number; readonly to: number; readonly octets: Uint8Array }[] =
    [];
  /** Whether the kernel has the group. */
  member = true;
  /** Called before each wait, so that a test can change things as time goes by. */
  onWait: (time: number) => void = () => {};

  now(): Instant {
    return this.time as Instant;
  }

  epochMicros(): number {
    return Math.round((this.time + this.epochOffset) * 1000);
  }

  /** How far the wall clock has been moved, in milliseconds. */
  epochOffset = 0;

  /** What `HotContext.nudges` tells. */
  nudges = 0;

  /** What {@linkcode realtime} was asked for; with `refusesRealtime` it is refused. */
  realtimePriority = 0;
  refusesRealtime = false;

  realtime(priority: number): void {
    if (this.refusesRealtime) throw new OsError("os.sched", "Cannot", { errno: "EPERM" });
    this.realtimePriority = priority;
  }

  /** None: the code under test has its own. */
  authenticator(): undefined {}

  randomWords(): readonly [number, number] {
    return [1, 2];
  }

  rest(): void {
    this.rests += 1;
  }

  batch(slots: number, slotSize: number, headroom: number): FrameBatch {
    return new SimBatch(slots, slotSize, headroom);
  }

  poller(): Poller {
    const watched = new Set<object>();
    return {
      watch: (what) => void watched.add(what),
      unwatch: (what) => void watched.delete(what),
      wait: (ms) => {
        this.onWait(this.time);
        const ready = [...watched].filter((what) => (what as SimTap | SimGroup).waiting);
        if (ready.length === 0) this.time += ms;
        else this.time += 0.01;
        return ready.length;
      },
      ready: (what) => watched.has(what) && (what as SimTap | SimGroup).waiting,
    };
  }

  openTap(options: TapOptions): TapPort {
    this.opened.push("tap");
    if (this.tapError) throw this.tapError;
    this.interfaces.set(options.name, interfaceState(this.opened.length));
    return this.tap = new SimTap(this, options.name);
  }

  openStation(name: string): TapPort {
    this.opened.push(`station ${name}`);
    return this.tap = new SimTap(this, name);
  }

  openGroup(options: GroupOptions): GroupPort {
    this.opened.push(`group ${options.via}`);
    if (this.groupError) throw this.groupError;
    return this.group = new SimGroup();
  }

  openDatagrams(): DatagramPort {
    throw new OsError("os.socket", "Not simulated", { syscall: "socket", errno: "ENOSYS" });
  }

  openIgmp(): IgmpPort {
    if (this.igmpError) throw this.igmpError;
    return {
      send: (to, message) => {
        this.reports.push({ at: this.time, to, octets: message.slice() });
        return message.length;
      },
      receive: () => this.igmpInput.shift(),
      [Symbol.dispose]() {},
    };
  }

  membership(): GroupMembership | undefined {
    return { version: "V3", member: this.member };
  }

  interface(name: string): InterfaceState | undefined {
    return this.interfaces.get(name);
  }

  interfaceName(name: string | undefined): string | undefined {
    return name ?? this.defaultRoute;
  }

  localAddresses(): readonly number[] {
    return [0x0a00_0001];
  }
}

/** An interface that is up. */
export function interfaceState(index: number, more: Partial<InterfaceState> = {}): InterfaceState {
  const mac = "02:00:00:00:00:01";
  return { index, mac, mtu: 1500, up: true, carrier: true, address: 1, ...more };
}

/** The TAP of a {@linkcode SimHot}. */
export class SimTap implements TapPort {
  readonly fd = 1;
  readonly adopted = false;
  readonly input: Scripted[] = [];
  readonly written: Uint8Array[] = [];
  /** Results of the next writes; they succeed when it is empty. */
  readonly writeFaults: number[] = [];
  drops = 0;
  closed = false;

  constructor(readonly host: SimHot, readonly name: string) {}

  get waiting(): boolean {
    return this.input.length > 0;
  }

  read(batch: FrameBatch, slot: number): number {
    const next = this.input.shift() ?? -FAULT.again;
    if (typeof next === "number") return next;
    batch.start[slot] = slot * batch.slotSize + batch.headroom;
    batch.octets.set(next, batch.start[slot]);
    return next.length;
  }

  write(batch: FrameBatch, slot: number): number {
    const fault = this.writeFaults.shift();
    if (fault !== undefined) return fault;
    const start = batch.start[slot]!;
    this.written.push(batch.octets.slice(start, start + batch.length[slot]!));
    return batch.length[slot]!;
  }

  bringUp(): void {
    this.host.opened.push("up");
    if (this.host.upError) throw this.host.upError;
    const state = this.host.interfaces.get(this.name)!;
    this.host.interfaces.set(this.name, { ...state, up: true });
  }

  dropped(): number {
    return this.drops;
  }

  [Symbol.dispose](): void {
    this.closed = true;
    this.host.interfaces.delete(this.name);
  }
}

/** The group of a {@linkcode SimHot}. */
export class SimGroup implements GroupPort {
  missed = 0;
  readonly fd = 2;
  readonly receiveBuffer = 1000;
  readonly input: (Datagram | number)[] = [];
  readonly sent: Uint8Array[] = [];
  /** Results of the next sends; all is sent when it is empty. */
  readonly sendResults: number[] = [];
  drops = 0;
  closed = false;

  get waiting(): boolean {
    return this.input.length > 0;
  }

  receive(batch: FrameBatch): number {
    let count = 0;
    while (count < batch.slots) {
      const next = this.input[0];
      if (next === undefined || (typeof next === "number" && count > 0)) break;
      this.input.shift();
      if (typeof next === "number") return next;
      batch.start[count] = count * batch.slotSize;
      batch.octets.set(next.octets.subarray(0, batch.slotSize), batch.start[count]);
      batch.length[count] = next.octets.length;
      batch.source[count] = next.from;
      count += 1;
    }
    batch.count = count;
    return count === 0 ? -FAULT.again : count;
  }

  send(batch: FrameBatch, from: number): number {
    const result = this.sendResults.shift() ?? batch.count - from;
    for (let slot = from; slot < from + result; slot += 1) {
      const start = batch.start[slot]!;
      this.sent.push(batch.octets.slice(start, start + batch.length[slot]!));
    }
    return result;
  }

  dropped(): number {
    return this.drops;
  }

  [Symbol.dispose](): void {
    this.closed = true;
  }
}
