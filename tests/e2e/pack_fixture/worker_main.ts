/** The worker of the fixture. */
postMessage("from the worker");
