/**
 * What `extensions` of version 2.0 may hold: those that busbar knows itself, and the operator's.
 *
 * | name | holds |
 * |---|---|
 * | `session` | of AUTH_RESP: the public key from which those of the session are made |
 * | `battery` | of BATT_TELEM: a report, and its digest in the bike's chain |
 * | `status` | of STATUS: what state a pile is in, and what it measures |
 * | `fault` | of FAULT: what is wrong |
 * | `tags` | texts of any message; part of the envelope, not in here |
 * @module
 */
import { BugError } from "../../base/errors.ts";
import { compileSchema } from "../../wire/json_schema.ts";
import type { ExtensionMap } from "./envelope.ts";
import { PILE_STATES } from "./pile_state.ts";
import { BIKE_MAX } from "./telemetry_chain.ts";

const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;
const COUNT = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** Names of the extensions that busbar knows. */
export type OwnExtension = "session" | "battery" | "status" | "fault";

/** The schemas of the extensions that busbar knows, which peers may be shown. */
export const OWN_EXTENSIONS: Readonly<Record<OwnExtension, unknown>> = {
  session: strictObject({
    "public_key": { type: "string", pattern: "^(0[xX])?04[0-9a-fA-F]{128}$" },
    signer: { enum: ["sm2", "secp256k1"] },
  }, { cipher: { enum: ["sm4-gcm", "aes-gcm"] } }),
  battery: strictObject({
    "bike_id": { type: "string", minLength: 1, maxLength: BIKE_MAX },
    "time_ms": COUNT,
    data: {
      type: "string",
      pattern: "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    },
    digest: { type: "string", pattern: "^(0[xX])?[0-9a-fA-F]{64}$" },
  }),
  status: strictObject({
    state: { enum: PILE_STATES },
    "power_w": { type: "integer", minimum: 0, maximum: U32_MAX },
    "energy_wh": COUNT,
  }),
  fault: strictObject({
    code: { type: "integer", minimum: 0, maximum: U16_MAX },
    hazard: { type: "boolean" },
  }, { text: { type: "string", maxLength: 255 } }),
};

/** Tries an extension that busbar knows. @returns What is wrong with it; undefined for nothing. */
export function checkExtension(name: OwnExtension, value: unknown): string | undefined {
  return ownExtensions().get(name)?.(value);
}

/** The extensions that busbar knows, alone. */
export function ownExtensions(): ExtensionMap {
  // Not before it is asked for: a program that never does need not wait for it.
  return compiled ??= compileOwn();
}

/**
 * The extensions that busbar knows, with those of the operator.
 * @param own His schemas by name. None may have the name of one of ours.
 * @returns A fault that names the first one that cannot be used.
 */
export function extensionMap(
  own: ReadonlyMap<string, unknown>,
): ExtensionMap | { readonly fault: string } {
  const all = new Map(ownExtensions());
  for (const [name, schema] of own) {
    if (name === "tags" || Object.hasOwn(OWN_EXTENSIONS, name)) {
      return { fault: `extensions.${name}: busbar has this one itself` };
    }
    if (!NAME.test(name)) {
      const found = JSON.stringify(name).slice(0, 40);
      return { fault: `${found} is no name of an extension: up to 64 letters, digits, _, - and .` };
    }
    const check = compileSchema(schema);
    if (typeof check !== "function") return { fault: `extensions.${name}: ${check.fault}` };
    all.set(name, check);
  }
  return all;
}

const NAME = /^[\p{L}\p{N}_.-]{1,64}$/u;
let compiled: ExtensionMap | undefined;

function compileOwn(): ExtensionMap {
  return new Map(
    Object.entries(OWN_EXTENSIONS).map(([name, schema]) => {
      const check = compileSchema(schema);
      if (typeof check !== "function") throw new BugError("cip22.extension", check.fault, { name });
      return [name, check];
    }),
  );
}

/** An object that has all of the first, may have those of the second, and no others. */
function strictObject(
  needed: Readonly<Record<string, unknown>>,
  optional: Readonly<Record<string, unknown>> = {},
): unknown {
  return {
    type: "object",
    properties: { ...needed, ...optional },
    required: Object.keys(needed),
    additionalProperties: false,
  };
}
