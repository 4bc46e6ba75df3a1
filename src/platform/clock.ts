import type { Instant, Millis } from "../base/time.ts";

/** The only way to time. Production reads the kernel; tests turn it by hand. */
export interface Clock {
  /** Monotonic. For time-outs and for measuring. */
  now(): Instant;
  /** Milliseconds since 1970-01-01T00:00:00Z. For time tags only; it may jump. */
  epoch(): number;
  /** Calls back once at or after `at`. Disposing cancels. An alarm keeps the process alive. */
  alarm(at: Instant, callback: () => void): Disposable;
}

/** Resolves after `span`, or at once when `signal` aborts. It never rejects. */
export function pause(clock: Clock, span: Millis, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      alarm[Symbol.dispose]();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const alarm = clock.alarm((clock.now() + span) as Instant, done);
    signal.addEventListener("abort", done);
  });
}

/** The longest wait that `setTimeout` can do; beyond it, it fires at once. */
const TIMEOUT_MAX = 2 ** 31 - 1;

/** The clock of this machine. */
export class SystemClock implements Clock {
  now(): Instant {
    return performance.now() as Instant;
  }

  epoch(): number {
    return Date.now();
  }

  alarm(at: Instant, callback: () => void): Disposable {
    let handle: ReturnType<typeof setTimeout>;
    const arm = () => {
      const left = Math.ceil(at - performance.now());
      handle = left > TIMEOUT_MAX
        ? setTimeout(arm, TIMEOUT_MAX)
        : setTimeout(callback, Math.max(0, left));
    };
    arm();
    return { [Symbol.dispose]: () => clearTimeout(handle) };
  }
}
