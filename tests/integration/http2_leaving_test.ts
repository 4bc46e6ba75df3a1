/** A client that leaves while it is talked to on many streams must not take the process with it. */
import { LinkDownError } from "../../src/base/errors.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import type { HttpAnswer } from "../../src/platform/ports.ts";
import { assert, assertEquals } from "../assert.ts";

const ROUNDS = 10;
const STREAMS = 50;

async function hear(answer: HttpAnswer): Promise<void> {
  try {
    while (await answer.read());
  } catch (error) {
    if (!(error instanceof LinkDownError)) throw error;
  }
}

Deno.test("A process that talks on many streams lives on when their connection is ended", async () => {
  const script = new URL("./http2_talker.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  try {
    const reader = child.stdout.getReader();
    const port = Number(new TextDecoder().decode((await reader.read()).value));
    reader.releaseLock();
    const signal = new AbortController().signal;
    for (let round = 0; round < ROUNDS; round += 1) {
      const conn = await SYSTEM_NET.dialHttp2({ host: "127.0.0.1", port }, signal);
      const answers = await Promise.all(
        Array.from({ length: STREAMS }, () => conn.open({ method: "POST", path: "/" }, signal)),
      );
      const heard = answers.map(hear);
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (round % 2 === 1) {
        for (const answer of answers.slice(0, STREAMS / 2)) await answer[Symbol.asyncDispose]();
      }
      await conn[Symbol.asyncDispose]();
      await Promise.all(heard);
    }
    assert(!ended, "it has ended");
    await using conn = await SYSTEM_NET.dialHttp2({ host: "127.0.0.1", port }, signal);
    const answer = await conn.open({ method: "POST", path: "/" }, signal);
    assertEquals((await answer.read())?.length, 100);
    await answer[Symbol.asyncDispose]();
  } finally {
    if (!ended) child.kill("SIGKILL");
    await child.stdout.cancel();
    await status;
  }
});
