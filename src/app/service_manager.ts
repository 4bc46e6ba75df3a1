/**
 * What the service manager is told: ready, reloading, stopping, and that we live. Without one
 * (`$NOTIFY_SOCKET` is absent) it tells nobody. sd_notify(3), sd_watchdog_enabled(3)
 * @module
 */
import { OsError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { after, type Millis, millis } from "../base/time.ts";
import type { Clock } from "../platform/clock.ts";
import { monotonicMicros, Notifier } from "../platform/linux/notify.ts";

/** What it needs of the process. */
export interface ManagerOptions {
  env(name: string): string | undefined;
  readonly pid: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The service manager, or nobody. */
export class ServiceManager implements Disposable {
  readonly #options: ManagerOptions;
  #notifier: Notifier | undefined;
  #alarm: Disposable | undefined;

  constructor(options: ManagerOptions) {
    this.#options = options;
    const path = options.env("NOTIFY_SOCKET");
    if (path === undefined || path === "") return;
    try {
      this.#notifier = new Notifier(path);
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      options.log.warn("notify.off", "Service manager will not be told", { error });
    }
  }

  /** Everything is started; from now on the watchdog is fed. */
  ready(status: string): void {
    this.#send("READY=1", `STATUS=${status}`);
    this.#feed();
  }

  /** A reload begins. */
  reloading(): void {
    this.#send("RELOADING=1", `MONOTONIC_USEC=${monotonicMicros()}`);
  }

  /** A reload has ended, well or not. */
  reloaded(status: string): void {
    this.#send("READY=1", `STATUS=${status}`);
  }

  stopping(): void {
    this.#send("STOPPING=1", "STATUS=Stopping");
  }

  [Symbol.dispose](): void {
    this.#alarm?.[Symbol.dispose]();
    this.#notifier?.[Symbol.dispose]();
    this.#notifier = undefined;
  }

  /** How often the manager wants to hear of us: half of what it waits; undefined when it does not. */
  get #interval(): Millis | undefined {
    const { env, pid } = this.#options;
    const wanted = Number(env("WATCHDOG_USEC") ?? NaN);
    const meant = env("WATCHDOG_PID");
    if (!(wanted > 0) || (meant !== undefined && Number(meant) !== pid)) return undefined;
    return millis(wanted / 2000);
  }

  #feed(): void {
    const interval = this.#interval;
    if (interval === undefined || !this.#notifier) return;
    this.#send("WATCHDOG=1");
    const { clock } = this.#options;
    this.#alarm = clock.alarm(after(clock.now(), interval), () => this.#feed());
  }

  #send(...assignments: readonly string[]): void {
    try {
      this.#notifier?.send(...assignments);
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      this.#options.log.warn("notify.failed", "Service manager was not told", { error });
    }
  }
}
