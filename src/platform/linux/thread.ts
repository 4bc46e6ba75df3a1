/**
 * Threads that do not obey. The runtime cannot end a worker that loops for ever (its `terminate`
 * waits for the loop to yield), and to kill the thread would leave whatever it holds locked. So it
 * is parked: a signal makes it sleep in the handler, with every other signal blocked, until the
 * process ends. It costs its memory, but no processor time, and it touches nothing any more.
 * @module
 */
import { checked, errno, failure, libc } from "./libc.ts";

/** Numbers of system calls that old C libraries have no function for. asm/unistd.h */
const SYSCALL = Deno.build.arch === "aarch64"
  ? { gettid: 178n, tgkill: 131n }
  : { gettid: 186n, tgkill: 234n };
/** A real-time signal that neither the runtime nor the C library uses (they use 32 to 34). */
const SIGNAL = 50;
const SCHED_FIFO = 1;
const ESRCH = 3;
/**
 * `struct sigaction` of glibc on both machines: handler at 0 (8 octets), mask at 8 (128), flags at
 * 136 (4), restorer at 144 (8). bits/sigaction.h
 */
const ACTION_SIZE = 152;
const MASK_AT = 8;
const MASK_END = 136;

let handlerSet = false;

/** The kernel's number of the calling thread. */
export function currentThread(): number {
  return Number(libc().syscall(SYSCALL.gettid, 0n, 0n, 0n));
}

/**
 * Puts the calling thread before all that are not real-time. sched_setscheduler(2)
 *
 * @param priority 1 to 99.
 * @throws OsError: EPERM without CAP_SYS_NICE.
 */
export function makeRealtime(priority: number): void {
  // struct sched_param is one int.
  const parameter = new Uint8Array(Int32Array.of(priority).buffer);
  const done = libc().sched_setscheduler(0, SCHED_FIFO, parameter);
  checked(done, "sched_setscheduler", `Cannot have real-time priority ${priority}`);
}

/**
 * Stops a thread of this process for good, whatever it does: a loop, or a system call that waits.
 *
 * @returns False when there is no such thread (any more).
 * @throws OsError when the kernel refuses.
 */
export function parkThread(thread: number): boolean {
  if (!handlerSet) {
    const action = new Uint8Array(ACTION_SIZE);
    const handler = Deno.UnsafePointer.value(libc().pause);
    new DataView(action.buffer).setBigUint64(0, BigInt(handler), true);
    // With all signals blocked inside the handler none can wake it.
    action.fill(0xff, MASK_AT, MASK_END);
    checked(libc().sigaction(SIGNAL, action, null), "sigaction", "Cannot prepare to park threads");
    handlerSet = true;
  }
  const { tgkill } = SYSCALL;
  if (libc().syscall(tgkill, BigInt(Deno.pid), BigInt(thread), BigInt(SIGNAL)) >= 0) return true;
  if (errno() === ESRCH) return false;
  throw failure("tgkill", `Cannot park thread ${thread}`);
}
