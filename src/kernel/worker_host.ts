/**
 * Runs a service in a thread of its own and watches over it. To the supervisor it is a run like any
 * other: it resolves after an asked stop and rejects after a failure, whether the service threw,
 * the thread crashed, or it is stuck. A stuck thread is parked and what it held open is closed, so
 * that the next run finds its interfaces and ports free.
 * @module
 */
import type { Counters } from "../base/counters.ts";
import { BugError, type ErrorImage, revive } from "../base/errors.ts";
import type { LogLine } from "../base/log.ts";
import { after, type Instant, millis, seconds } from "../base/time.ts";
import type { Clock } from "../platform/clock.ts";
import { Mailbox } from "./mailbox.ts";
import type { Health, HotSample, WorkerHandle } from "./module.ts";
import { Orders } from "./orders.ts";
import type { Json } from "./registry.ts";
import { LOOK_EVERY, Watchdog } from "./watchdog.ts";

/** How long a worker that was told to stop may go on before its thread is taken from it. */
const STOP_MAX = seconds(5);
/** How soon messages that found no room are tried again. */
const RETRY_AFTER = millis(5);
/** Most messages that wait for room: a worker that is so far behind has failed. */
const WAITING_MAX = 100_000;

/** What a worker is sent, once. */
export interface ToWorker {
  readonly id: string;
  readonly module: string;
  readonly config: unknown;
  /** Names of the counters beside the standard ones. */
  readonly counterNames: readonly string[];
  readonly counters: SharedArrayBuffer;
  readonly orders: SharedArrayBuffer;
  readonly mail: SharedArrayBuffer;
  /** Descriptor that becomes readable with each message. */
  readonly bell: number;
}

/** What a worker says. */
export type FromWorker =
  | { readonly kind: "report"; readonly health: Health; readonly why: string | undefined }
  | { readonly kind: "detail"; readonly facts: Readonly<Record<string, unknown>> }
  | { readonly kind: "message"; readonly message: Json }
  | { readonly kind: "points"; readonly samples: readonly HotSample[] }
  | { readonly kind: "log"; readonly line: LogLine }
  | { readonly kind: "ended"; readonly error: ErrorImage | undefined };

/** A thread as the runtime gives it. */
export interface Thread {
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

/** What only the platform can do about threads. */
export interface ThreadKeeper {
  /** Starts the one worker script, which knows the services of the byte plane. */
  start(name: string): Thread;
  /** Parks a thread for good. Returns false when it is gone. @throws OsError */
  park(thread: number): boolean;
  /** Closes a descriptor that a thread has left behind. */
  close(descriptor: number): void;
  /** Makes a bell. @throws OsError when there are no more descriptors. */
  bell(): Bell;
}

/** Wakes a thread that waits for descriptors. */
export interface Bell extends Disposable {
  readonly fd: number;
  ring(): void;
}

/** What a run in a worker needs. */
export interface WorkerOptions {
  readonly id: string;
  readonly module: string;
  readonly config: unknown;
  readonly counterNames: readonly string[];
  readonly counters: Counters;
  readonly clock: Clock;
  readonly keeper: ThreadKeeper;
  readonly signal: AbortSignal;
  /** Told of the shared words as soon as they are there, to set the trace level by. */
  readonly begun: (orders: Orders) => void;
  readonly report: (health: Health, why?: string) => void;
  readonly detail: (facts: Readonly<Record<string, unknown>>) => void;
  readonly publish: (samples: readonly HotSample[]) => void;
  /** Told what the worker sends; absent for one that has nobody to talk to. */
  readonly hear?: (message: Json) => void;
  readonly log: (line: LogLine) => void;
}

/** Runs a service in a worker. Rejects with what it threw, of the same family. */
export function runInWorker(options: WorkerOptions): Promise<void> {
  return startInWorker(options).ended;
}

/** Starts a service in a worker, to talk to it while it runs. */
export function startInWorker(options: WorkerOptions): WorkerHandle {
  const run = new WorkerRun(options);
  return {
    ended: run.ended.finally(() => run.close()),
    send: (message) => run.send(message),
  };
}

class WorkerRun {
  readonly #options: WorkerOptions;
  readonly #orders = new Orders();
  readonly #thread: Thread;
  readonly #watchdog: Watchdog;
  readonly #outcome = Promise.withResolvers<void>();
  readonly #mail = new Mailbox();
  readonly #bell: Bell;
  readonly #unsent: Json[] = [];
  #retry: Disposable | undefined;
  #alarm: Disposable | undefined;
  #stopBy: Instant | undefined;
  #over = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { id, module, config, counterNames, counters, clock, signal, keeper } = options;
    this.#watchdog = new Watchdog(clock.now());
    options.begun(this.#orders);
    this.#bell = keeper.bell();
    this.#thread = keeper.start(id);
    this.#thread.onmessage = ({ data }) => this.#hear(data as FromWorker);
    this.#thread.onerror = (event) => {
      event.preventDefault(); // Else the whole process would end with the thread.
      this.#fail(new BugError("worker.crashed", `Thread crashed: ${event.message}`, { id }));
    };
    this.#thread.onmessageerror = () =>
      this.#fail(new BugError("worker.message", "Thread sent what cannot be read", { id }));
    signal.addEventListener("abort", this.#stop, { once: true });
    if (signal.aborted) this.#stop();
    const order: ToWorker = {
      id,
      module,
      config,
      counterNames,
      counters: counters.memory,
      orders: this.#orders.memory,
      mail: this.#mail.memory,
      bell: this.#bell.fd,
    };
    this.#thread.postMessage(order);
    this.#watch();
  }

  get ended(): Promise<void> {
    return this.#outcome.promise;
  }

  /** Lets go of the thread, whatever it does. */
  close(): void {
    this.#over = true;
    this.#retry?.[Symbol.dispose]();
    this.#alarm?.[Symbol.dispose]();
    this.#options.signal.removeEventListener("abort", this.#stop);
    this.#thread.terminate();
    for (const descriptor of this.#orders.takeDescriptors()) this.#options.keeper.close(descriptor);
    this.#bell[Symbol.dispose]();
  }

  send(message: Json): void {
    if (this.#over) return;
    if (this.#unsent.length === 0 && this.#mail.send(message)) return this.#bell.ring();
    if (this.#unsent.length >= WAITING_MAX) {
      const { id } = this.#options;
      return this.#fail(new BugError("worker.mail", "Thread does not read its messages", { id }));
    }
    this.#unsent.push(message);
    this.#retry ??= this.#sendLater();
  }

  #sendLater(): Disposable {
    const { clock } = this.#options;
    return clock.alarm(after(clock.now(), RETRY_AFTER), () => {
      let sent = 0;
      while (sent < this.#unsent.length && this.#mail.send(this.#unsent[sent]!)) sent += 1;
      this.#unsent.splice(0, sent);
      if (sent > 0) this.#bell.ring();
      this.#retry = this.#unsent.length > 0 ? this.#sendLater() : undefined;
    });
  }

  readonly #stop = () => {
    this.#orders.orderStop();
    this.#stopBy = after(this.#options.clock.now(), STOP_MAX);
  };

  #hear(message: FromWorker): void {
    if (this.#over) return;
    const { report, detail, publish, log } = this.#options;
    if (message.kind === "report") report(message.health, message.why);
    else if (message.kind === "detail") detail(message.facts);
    else if (message.kind === "points") publish(message.samples);
    else if (message.kind === "message") this.#options.hear?.(message.message);
    else if (message.kind === "log") log(message.line);
    else if (message.error) this.#outcome.reject(revive(message.error));
    else this.#outcome.resolve();
  }

  #watch(): void {
    const { clock } = this.#options;
    this.#alarm = clock.alarm(after(clock.now(), LOOK_EVERY), () => {
      const now = clock.now();
      const stuck = this.#watchdog.look(this.#orders.beats, now);
      const late = this.#stopBy !== undefined && now >= this.#stopBy;
      if (stuck || late) this.#giveUp(stuck);
      else this.#watch();
    });
  }

  /** Takes the processor from a thread that does not answer. */
  #giveUp(stuck: boolean): void {
    const { id, keeper } = this.#options;
    const { thread } = this.#orders;
    try {
      const gone = thread !== 0 && !keeper.park(thread);
      const what = gone
        ? "Thread is gone without a word"
        : stuck
        ? "Thread is stuck and has been parked"
        : "Thread did not stop and has been parked";
      const code = gone ? "worker.gone" : stuck ? "worker.stuck" : "worker.unstoppable";
      this.#fail(new BugError(code, what, { id, thread }));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#outcome.reject(error);
  }
}
