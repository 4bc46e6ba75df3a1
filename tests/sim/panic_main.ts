/** busbar with a fault of its own: an error that nobody catches, a moment after the start. */
import { main } from "../../src/app/main.ts";

const [how, ...args] = Deno.args;
setTimeout(() => {
  const error = new TypeError("nobody catches this");
  if (how === "reject") void Promise.reject(error);
  else throw error;
}, 1500);
Deno.exit(await main(args));
