// deno-lint-ignore-file no-console -- talking to the test that started it is what it is for
/** A small program that says what it was started with; packed by the tests of the packing. */
const [order, argument] = Deno.args;
if (order === "exit") Deno.exit(Number(argument));
if (order === "wait") {
  Deno.addSignalListener("SIGTERM", () => Deno.exit(7));
  setInterval(() => {}, 1_000);
}
const worker = new Worker(new URL("./worker_main.ts", import.meta.url), { type: "module" });
const answer = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
worker.terminate();
console.log(JSON.stringify({
  args: Deno.args,
  pid: Deno.pid,
  comm: Deno.readTextFileSync("/proc/self/comm").trim(),
  executable: Deno.env.get("BUSBAR_EXECUTABLE"),
  place: new URL(".", import.meta.url).pathname,
  umask: Deno.umask(),
  answer,
  input: order === "read" ? await new Response(Deno.stdin.readable).text() : "",
}));
if (order !== "wait") Deno.exit(0);
