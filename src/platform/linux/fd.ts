/** Descriptors with an owner. Nothing passes naked integers around. */
import { libc } from "./libc.ts";

/** Told of each descriptor that is opened and closed, so that somebody else can close it for us. */
export interface FdLedger {
  opened(fd: number): void;
  closed(fd: number): void;
}

let ledger: FdLedger | undefined;

/**
 * Names the ledger of this thread. The host of a worker needs it: a thread that has to be killed
 * leaves its descriptors open in the process, and a TAP among them would stay busy.
 */
export function keepLedger(of: FdLedger): void {
  ledger = of;
}

/** Closes a descriptor that a thread left behind. The thread must be gone. */
export function closeLeftover(fd: number): void {
  libc().close(fd);
}

/** Owns one descriptor; disposing closes it, once. */
export class Fd implements Disposable {
  #number: number;

  constructor(number: number) {
    this.#number = number;
    ledger?.opened(number);
  }

  /** The number for a system call; -1 after it was closed, which the kernel refuses (EBADF). */
  get number(): number {
    return this.#number;
  }

  [Symbol.dispose](): void {
    if (this.#number < 0) return;
    libc().close(this.#number);
    ledger?.closed(this.#number);
    this.#number = -1;
  }
}
