/** The worker of the fixture. */
(self as unknown as { postMessage(message: string): void }).postMessage("from the worker");
