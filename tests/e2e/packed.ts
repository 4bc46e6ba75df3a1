/** Where the files under test are, which the test runner builds before the end-to-end tests. */
import { fileName, hostTarget, TARGETS } from "../../build/targets.ts";

const DIST = new URL("../../dist/", import.meta.url).pathname;

/** The executable for this machine. */
export const PACKED = `${DIST}${fileName(hostTarget())}`;
/** The executable for ARM64. */
export const PACKED_ARM64 = `${DIST}${
  fileName(TARGETS.find(({ machine }) => machine === "aarch64")!)
}`;

for (const path of [PACKED, PACKED_ARM64]) {
  try {
    Deno.statSync(path);
  } catch (error) {
    throw new Error(`There is no ${path}; run: deno task build --target all`, { cause: error });
  }
}
