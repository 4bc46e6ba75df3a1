/**
 * `deno task wasm`: assembles the kernels and writes them down as text, in
 * `src/crypto/kernel_octets.ts`. A test sees to it that they are those of these sources.
 * @module
 */
import { HELD_CONSTANT, MISSING, SM4_TABLES } from "./sm4_field.ts";
import { sm2Kernel } from "./sm2_kernel.ts";
import { sm4Kernel } from "./sm4_kernel.ts";

/** Where they go, seen from the repository's root. */
export const KERNEL_FILE = "src/crypto/kernel_octets.ts";
const WIDTH = 96;

/** The file's text. */
export function kernelText(): string {
  const lines = (octets: Uint8Array) =>
    octets.toBase64().match(new RegExp(`.{1,${WIDTH}}`, "g"))!.join("\n");
  const list = (values: readonly number[]) => `[${values.join(", ")}]`;
  return `/** Made by \`deno task wasm\` out of build/wasm; not to be changed by hand. */

/** How the kernel holds the low nibble of an octet. */
export const HELD_LOW: readonly number[] = ${list(SM4_TABLES.into[0])};
/** How it holds the high nibble. */
export const HELD_HIGH: readonly number[] = ${list(SM4_TABLES.into[1])};
/** The affine constant of SM4's S-box, as it is held. */
export const HELD_CONSTANT = ${HELD_CONSTANT};
/** What the constant at the S-box's end, which the kernel leaves out, makes of an octet. */
export const MISSING = ${MISSING};

/** The module for SM4 and GHASH. */
export const KERNEL: Uint8Array = Uint8Array.fromBase64(\`
${lines(sm4Kernel())}
\`);

/** The module for the curve of SM2. */
export const SM2_KERNEL: Uint8Array = Uint8Array.fromBase64(\`
${lines(sm2Kernel())}
\`);
`;
}

if (import.meta.main) Deno.writeTextFileSync(KERNEL_FILE, kernelText());
