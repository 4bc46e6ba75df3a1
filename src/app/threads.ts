/** Worker threads, as the kernel's worker host needs them. */
import type { Thread, ThreadKeeper } from "../kernel/worker_host.ts";
import { openBell } from "../platform/linux/bell.ts";
import { closeLeftover } from "../platform/linux/fd.ts";
import { parkThread } from "../platform/linux/thread.ts";

/** Threads of this process that run `worker_main.ts`. */
export const SYSTEM_THREADS: ThreadKeeper = {
  start(name): Thread {
    // The build finds the address of the worker's script in just this form.
    return new Worker(new URL("./worker_main.ts", import.meta.url), { type: "module", name });
  },
  park: parkThread,
  close: closeLeftover,
  bell: openBell,
};
