/** The executable. Everything it does is in `src/app/main.ts`. */
import { main } from "./src/app/main.ts";

Deno.exit(await main(Deno.args));
