// deno-lint-ignore-file no-console -- talking to the terminal is what it is for
/**
 * `deno task build [--target x86_64-unknown-linux-gnu|aarch64-unknown-linux-gnu|all]
 * [--route compile|pack] [--out dist]` writes `dist/busbar-<machine>-linux`, one executable file.
 * @module
 */
import { parseArgs } from "node:util";
import { VERSION } from "../src/app/version.ts";
import { compile, whyNot } from "./compile.ts";
import { pack, type Program } from "./pack.ts";
import { fileName, hostTarget, type Target, TARGETS } from "./targets.ts";

const ROUTES = ["compile", "pack"];

/** What is asked for; undefined where the build decides. */
interface Order {
  readonly targets: readonly Target[];
  readonly route: string | undefined;
  readonly out: string;
}

/** Reads the command line. @throws {Error} with a sentence for the user. */
export function parseOrder(args: readonly string[]): Order {
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: { type: "string", default: hostTarget().triple },
      route: { type: "string" },
      out: { type: "string", default: "dist" },
    },
  });
  const targets = TARGETS.filter(({ triple }) => [triple, "all"].includes(values.target));
  if (targets.length === 0) {
    const known = TARGETS.map(({ triple }) => triple).join(", ");
    throw new Error(`Unknown target ${values.target}; known are ${known} and all`);
  }
  if (values.route !== undefined && !ROUTES.includes(values.route)) {
    throw new Error(`Unknown route ${values.route}; known are ${ROUTES.join(" and ")}`);
  }
  return { targets, route: values.route, out: values.out };
}

/** Builds one file, by the route that is asked for or else by the one that can be gone. */
async function build(program: Program, target: Target, order: Order): Promise<void> {
  const path = `${order.out}/${fileName(target)}`;
  let route = order.route;
  if (route !== "pack") {
    const reason = await whyNot(target);
    if (reason !== undefined && route === "compile") throw new Error(`Cannot compile: ${reason}`);
    if (reason !== undefined) console.log(`Packing instead of compiling: ${reason}`);
    route = reason === undefined ? "compile" : "pack";
  }
  const size = await (route === "pack" ? pack : compile)(program, target, path);
  console.log(`${path}: ${(size / 1024 / 1024).toFixed(1)} MiB, by the ${route} route`);
}

if (import.meta.main) {
  try {
    const order = parseOrder(Deno.args);
    await Deno.mkdir(order.out, { recursive: true });
    const program = { version: VERSION, main: "main.ts", worker: "src/app/worker_main.ts" };
    for (const target of order.targets) await build(program, target, order);
  } catch (error) {
    console.error(`Build failed: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
