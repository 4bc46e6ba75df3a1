/**
 * The C library, by FFI: the only place that opens it. Symbols are looked up on first use, so that
 * only a configuration that needs them needs `--allow-ffi`.
 *
 * A system call fails by returning -1 and leaving the reason in `errno`, a variable of the thread.
 * Its address is taken once per thread and aliased: a second FFI call made to ask for it could have
 * changed it in between.
 * @module
 */
import { OsError } from "../../base/errors.ts";
import { errnoName } from "./errno.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  // The address of the function itself, for use as the handler of a signal.
  pause: { type: "pointer" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // 32 bits hold every result here, and cost the runtime a third of what 64 do.
  readv: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recvmmsg: { parameters: ["i32", "buffer", "u32", "i32", "pointer"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  sigaction: { parameters: ["i32", "buffer", "pointer"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // What a call moves at once fits into 32 bits, either way.
  splice: { parameters: ["i32", "pointer", "i32", "pointer", "u32", "u32"], result: "i32" },
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
  usleep: { parameters: ["u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  writev: { parameters: ["i32", "buffer", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Table = typeof SYMBOLS;
/** The system calls and functions that can be called. */
export type CallName = Exclude<keyof Table, "__errno_location" | "pause">;
type Libc = Deno.DynamicLibrary<Table>["symbols"];

let library: Libc | undefined;
let errnoWord: Int32Array | undefined;

/**
 * The functions themselves, for hot loops: a negative result says that the call failed, and
 * {@linkcode errno} why. @throws OsError when there is no glibc.
 */
export function libc(): Libc {
  if (library) return library;
  try {
    library = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  } catch (error) {
    throw new OsError("os.libc", "Cannot open libc.so.6; busbar needs a glibc system", {
      syscall: "dlopen",
      errno: "ELIBACC",
    }, { cause: error });
  }
  const word = library.__errno_location()!;
  errnoWord = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(word, 4));
  return library;
}

/** The reason of the last failed call of this thread. Read it before anything else is called. */
export function errno(): number {
  return errnoWord![0]!;
}

/** The error of the last failed call. */
export function failure(syscall: string, what: string, number = errno()): OsError {
  const name = errnoName(number);
  return new OsError(`os.${syscall}`, `${what} (${name})`, { syscall, errno: name });
}

/**
 * Checks the result of a call.
 *
 * @param what What was attempted, sentence case: `Cannot open /dev/net/tun`.
 * @throws OsError with the name of the call and of errno when `result` is negative.
 */
export function checked(result: number | bigint, syscall: CallName, what: string): number {
  if (result < 0) throw failure(syscall, what);
  return Number(result);
}

/** A text as C wants it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
