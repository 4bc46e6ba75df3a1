/**
 * The keys that we send with, and how they are replaced while octets flow: a new one is announced
 * in good time, said again until the peer confirms it, and only then used. §6.1.6
 * @module
 */
import type { Keys, Parity } from "./keys.ts";
import { distance } from "./numbers.ts";
import { type Packet, WORD } from "./packet.ts";

const TRIES = 10;
const LEAST = 20_000;
const PATIENCE = 1_000_000;

/** When keys are replaced. */
export interface RefreshOptions {
  /** Packets after which a key is replaced. */
  readonly keyRefresh: number;
  /** How many before it the new one is announced. */
  readonly keyAnnounce: number;
  readonly random: (size: number) => Uint8Array;
}

/** The keys of what is sent. */
export class KeyRefresh {
  /** How often a key was replaced. */
  count = 0;
  /** When the announcement is to be said; microseconds. */
  dueAt = Infinity;
  #packets = 0;
  #tries = 0;
  #pending: Uint8Array<ArrayBuffer> | undefined;
  #next: Parity | undefined;
  /** The first packet of the key that is used. */
  #from: number | undefined;

  constructor(readonly keys: Keys, readonly options: RefreshOptions) {}

  /**
   * Encrypts a packet that is sent for the first time, and marks it with its key.
   * @param unconfirmed The oldest packet that the peer has not confirmed.
   */
  encrypt(packet: Packet, unconfirmed: number, at: number): void {
    const { keys, options: { keyRefresh, keyAnnounce, random } } = this;
    this.#packets += 1;
    // The key of that parity is not replaced while packets of it may be sent again.
    const settled = this.#from === undefined || distance(this.#from, unconfirmed) >= 0;
    if (this.#next === undefined && settled && this.#packets >= keyRefresh - keyAnnounce) {
      this.#next = keys.active === "even" ? "odd" : "even";
      keys.sending[this.#next] = random(keys.length);
      this.#pending = new Uint8Array(keys.material());
      this.#tries = 0;
      this.dueAt = at;
    }
    // A key that the peer has not confirmed is of no use to it.
    if (this.#next !== undefined && !this.#pending && this.#packets >= keyRefresh) {
      keys.active = this.#next;
      this.#from = packet.sequence;
      this.#next = undefined;
      this.#packets = 0;
      this.count += 1;
    }
    const bits = keys.active === "even" ? WORD.evenKey : WORD.oddKey;
    packet.view.setUint32(4, packet.view.getUint32(4) | bits);
    keys.crypt(packet.payload, packet.sequence, keys.sending[keys.active]);
  }

  /** What is to be announced now; undefined when everything was confirmed. */
  say(at: number, roundTrip: number): Uint8Array<ArrayBuffer> | undefined {
    if (!this.#pending) {
      this.dueAt = Infinity;
      return undefined;
    }
    this.#tries += 1;
    const pause = this.#tries < TRIES ? 1.5 * roundTrip : PATIENCE;
    this.dueAt = at + Math.max(LEAST, pause);
    return this.#pending;
  }

  /** The peer has answered; only with the same octets does it mean anything. */
  confirm(contents: Uint8Array): void {
    const pending = this.#pending;
    const same = pending?.length === contents.length &&
      pending.every((octet, index) => octet === contents[index]);
    if (!same) return;
    this.#pending = undefined;
    this.dueAt = Infinity;
  }
}
