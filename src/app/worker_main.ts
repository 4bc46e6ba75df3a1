/**
 * The one script of all workers: those of the byte plane, and the one that writes the journal. It
 * waits for one message, and from then on its thread belongs to the service. It imports no schemas:
 * what comes in has been checked.
 * @module
 */
import { Orders } from "../kernel/orders.ts";
import type { FromWorker, ToWorker } from "../kernel/worker_host.ts";
import { serve } from "../kernel/worker_side.ts";
import { keepLedger } from "../platform/linux/fd.ts";
import { createHotPlatform } from "../platform/linux/hot_platform.ts";
import { currentThread } from "../platform/linux/thread.ts";
import { HOT_MODULES } from "./hot_modules.ts";
import { type JournalOrder, serveJournal } from "./journal_side.ts";

/** The part of a worker's global scope that is used. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker | JournalOrder>) => void) | null;
  postMessage(message: FromWorker): void;
}

const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data }) => {
  if ("journal" in data) return serveJournal(data, self as unknown as MessagePort);
  const orders = new Orders(data.orders);
  keepLedger({
    opened: (fd) => void orders.opened(fd),
    closed: (fd) => orders.closed(fd),
  });
  const side = {
    platform: createHotPlatform(),
    thread: currentThread(),
    send: (message: FromWorker) => scope.postMessage(message),
  };
  void serve(data, orders, side, (module) => HOT_MODULES.get(module));
};
