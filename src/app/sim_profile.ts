/**
 * What a simulated RTU is made of: the profile file of `busbar sim rtu`.
 * @module
 */
import { millis, seconds } from "../base/time.ts";
import {
  choice,
  duration,
  flag,
  type Infer,
  integer,
  list,
  section,
  text,
  z,
} from "../kernel/schema.ts";
import { TYPE, typeSpec } from "../protocol/iec104/mod.ts";

const POINTS_MAX = 100_000;

/** Types whose values can be made up. */
const type = () =>
  text().transform((written, context): number => {
    const found = (TYPE as Readonly<Record<string, number>>)[written.toUpperCase()];
    const spec = found === undefined ? undefined : typeSpec(found);
    if (spec?.group === "monitor" && spec.timeSize !== 3) return spec.type;
    context.issues.push({
      code: "custom",
      message: "must be a type such as M_SP_TB_1 or M_ME_TF_1",
      input: written,
    });
    return z.NEVER;
  });

const real = () => z.number({ error: "must be a number" });

const POINT = section({
  ioa: integer(0, 16_777_215).describe("Object address of the first"),
  count: integer(1, POINTS_MAX).default(1).describe("So many, with addresses that count up"),
  type: type().describe("Type of its events; its state is told without a time tag"),
  change: choice(["toggle", "ramp", "sine", "random", "numbers", "still"]).default("still"),
  from: real().default(0).describe("Least value"),
  to: real().default(100).describe("Greatest value"),
  every: duration(millis(1), seconds(86_400)).prefault("1s").describe("How often it changes"),
  group: integer(0, 16).default(0).describe("Group of interrogation; counters have 1 to 4"),
});

const FILE = section({
  ioa: integer(0, 16_777_215).describe("Object address"),
  file: integer(1, 65_535).default(2).describe("Name of the file: 2 is disturbance data"),
  length: integer(0, 1_048_576).default(4096).describe("Octets; they are made up"),
});

/** The whole file. */
export const PROFILE = section({
  common_address: integer(1, 65_534).default(1),
  points: list(POINT, 1000),
  bursts: section({
    every: duration(millis(100), seconds(86_400)),
    count: integer(1, POINTS_MAX),
  }).optional().describe("So many events at once, of the points in turn"),
  drop_every: duration(seconds(1), seconds(86_400)).optional().describe(
    "How often the connection is broken off",
  ),
  files: list(FILE, 100).optional().describe("Files that can be listed and fetched"),
  refuse_commands: flag().default(false),
  queue: integer(1, 10_000_000).default(100_000).describe(
    "Most events that wait; with more the oldest that was not sent goes",
  ),
});
/** A checked profile. */
export type Profile = Infer<typeof PROFILE>;

/** A small station of every kind, when there is no file. */
export const PROFILE_DEFAULT = {
  points: [
    { ioa: 101, count: 4, type: "M_SP_TB_1", change: "toggle", every: "2s" },
    { ioa: 111, type: "M_DP_TB_1", change: "toggle", every: "5s" },
    { ioa: 201, count: 4, type: "M_ME_TF_1", change: "sine", from: 210, to: 240, every: "1s" },
    { ioa: 211, type: "M_ME_TE_1", change: "ramp", from: -100, to: 100, every: "500ms" },
    { ioa: 401, type: "M_IT_TB_1", change: "numbers", every: "1s" },
  ],
  files: [{ ioa: 9001, length: 20_000 }],
} as const;
