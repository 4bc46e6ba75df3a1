/** A server of HTTP/2 that goes on talking on every stream; told which port it got, on stdout. */
import { AppError } from "../../src/base/errors.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import type { HttpStream } from "../../src/platform/ports.ts";

const EVERY_MS = 20;

async function talk(stream: HttpStream): Promise<void> {
  try {
    stream.respond(200);
    for (;;) {
      await stream.write(new Uint8Array(100));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error; // It was lost, as it is to be.
  } finally {
    await stream[Symbol.asyncDispose]();
  }
}

await using listener = await SYSTEM_NET.listenHttp2({ host: "127.0.0.1", port: 0 });
await Deno.stdout.write(new TextEncoder().encode(`${listener.local.port}\n`));
for await (const stream of listener) void talk(stream);
