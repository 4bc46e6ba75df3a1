/** What an operator can ask of an RTU over the control port. */
import { after, seconds } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import type { ControlReply, Json } from "../../kernel/registry.ts";
import type { CommandOutcome } from "../../points/commands.ts";
import type { PointId, PointValue } from "../../points/points.ts";
import { type InformationObject, TYPE } from "../../protocol/iec104/mod.ts";
import type { ExchangeEnd } from "./exchanges.ts";
import type { Session } from "./session.ts";

/** How long a command may take, as far as whoever asks waits for it. */
const COMMAND_WITHIN = seconds(30);

/** What can be asked for; the last word of the path. */
export const ORDERS = [
  "interrogate",
  "counters",
  "clock",
  "test",
  "reset",
  "read",
  "parameter",
  "command",
  "files",
  "fetch",
] as const;
/** One of {@linkcode ORDERS}. */
export type Order = (typeof ORDERS)[number];

/** What orders need of the service. */
export interface OrderSurroundings {
  readonly ctx: Context;
  /** Octets that a file may have. */
  readonly fileMax: number;
  /** First of the common addresses; meant where none is told. */
  readonly mainAddress: number;
  session(): Session | undefined;
  /** The output at an address. */
  output(commonAddress: number, address: number): PointId | undefined;
}

type Body = Readonly<Record<string, Json | undefined>>;

/** Puts `POST /fep/<instance>/<order>` onto the control port, as long as the service runs. */
export function takeOrders(around: OrderSurroundings): void {
  const { ctx } = around;
  const name = ctx.id.slice(ctx.id.indexOf(".") + 1);
  for (const order of ORDERS) {
    ctx.control.route("POST", `/fep/${name}/${order}`, "change", async ({ body, remote }) => {
      const written = (body ?? {}) as Body;
      ctx.log.info("iec104.order", "Operator has asked for it", { order, client: remote });
      // A command is refused, and audited, by the hub when the RTU is away.
      if (order === "command") return await command(around, written, remote);
      const current = around.session();
      if (!current?.started) return refusal(409, "RTU is not connected");
      return await carryOut(around, current, order, written);
    });
  }
}

async function carryOut(
  around: OrderSurroundings,
  session: Session,
  order: Exclude<Order, "command">,
  body: Body,
): Promise<ControlReply> {
  switch (order) {
    case "interrogate": {
      const { group = 0 } = body;
      if (!isWhole(group, 16)) return refusal(422, "group must be from 1 to 16");
      return replyTo(await (group === 0 ? session.interrogate() : session.interrogateGroup(group)));
    }
    case "counters": {
      const { group = 0, freeze = "read" } = body;
      if (!isWhole(group, 4)) return refusal(422, "group must be from 1 to 4");
      const known = FREEZES.find((word) => word === freeze);
      if (!known) return refusal(422, `freeze must be one of ${FREEZES.join(", ")}`);
      return replyTo(await session.interrogateCounters(group, known));
    }
    case "clock":
      return replyTo(await session.syncClock());
    case "test":
      return replyTo(await session.test());
    case "reset":
      return replyTo(await session.reset());
    case "read": {
      const { coa, ioa } = body;
      const good = isWhole(coa, 65_534) && isWhole(ioa, 16_777_215);
      if (!good) return refusal(422, "coa and ioa must be whole numbers");
      return replyTo(session.read(coa, ioa));
    }
    case "parameter": {
      const read = parameterOf(body);
      if (typeof read === "string") return refusal(422, read);
      return replyTo(await session.parameter(read.coa, read.object, read.activate));
    }
    case "files": {
      const { coa = around.mainAddress } = body;
      if (!isWhole(coa, 65_534)) return refusal(422, "coa must be a whole number");
      const end = await session.files.list(coa);
      if ("failed" in end) return refusal(504, `Directory: ${end.failed}`);
      return { status: 200, body: { files: end.result.map((line) => ({ ...line })) } };
    }
    case "fetch": {
      const { coa, ioa, file } = body;
      const good = isWhole(coa, 65_534) && isWhole(ioa, 16_777_215) && isWhole(file, 65_535);
      if (!good) return refusal(422, "coa, ioa and file must be whole numbers");
      const name = { commonAddress: coa, address: ioa, file };
      const end = await session.files.get(name, around.fileMax);
      if ("failed" in end) return refusal(504, `File: ${end.failed}`);
      const { length } = end.result;
      return { status: 200, body: { length, base64: end.result.toBase64() } };
    }
  }
}

/** What becomes of the counters, as the word for it. */
export const FREEZES = ["read", "freeze", "freeze_reset", "reset"] as const;
const PARAMETERS = ["threshold", "smoothing", "low_limit", "high_limit"] as const;
const FORMS = {
  normalized: TYPE.P_ME_NA_1,
  scaled: TYPE.P_ME_NB_1,
  float: TYPE.P_ME_NC_1,
} as const;
/** QPA (101, 7.2.6.25). */
const ACTIVATIONS = { loaded: 1, object: 2, cyclic: 3 } as const;

interface ParameterOrder {
  readonly coa: number;
  readonly object: InformationObject & { readonly type: number };
  readonly activate: boolean;
}

/** Reads what a parameter is to be; or tells what is wrong. */
function parameterOf({ coa, ioa, form, parameter, value, act, activate }: Body):
  | ParameterOrder
  | string {
  if (!isWhole(coa, 65_534) || !isWhole(ioa, 16_777_215)) {
    return "coa and ioa must be whole numbers";
  }
  if (act !== undefined) {
    const qualifier = ACTIVATIONS[act as keyof typeof ACTIVATIONS];
    if (qualifier === undefined) return `act must be one of ${Object.keys(ACTIVATIONS).join(", ")}`;
    const type = TYPE.P_AC_NA_1;
    const object = { type, kind: "parameter_activation", address: ioa, qualifier } as const;
    return { coa, object, activate: activate !== false };
  }
  const type = FORMS[(form ?? "float") as keyof typeof FORMS];
  if (type === undefined) return `form must be one of ${Object.keys(FORMS).join(", ")}`;
  const number = PARAMETERS.findIndex((word) => word === parameter) + 1;
  if (number === 0) return `parameter must be one of ${PARAMETERS.join(", ")}`;
  const raw = type === TYPE.P_ME_NA_1 ? Math.round(Number(value) * 32_768) : Number(value);
  const whole = Number.isInteger(raw) && raw >= -32_768 && raw <= 32_767;
  if (typeof value !== "number" || !(type === TYPE.P_ME_NC_1 ? Number.isFinite(raw) : whole)) {
    return `value must be a number that ${form ?? "float"} can hold`;
  }
  const kind = type === TYPE.P_ME_NA_1
    ? "parameter_normalized"
    : type === TYPE.P_ME_NB_1
    ? "parameter_scaled"
    : "parameter_float";
  const fields = { address: ioa, value: raw, parameter: number, changed: false, idle: false };
  return { coa, object: { type, kind, ...fields }, activate: true };
}

const MODES = ["select", "execute", "cancel"] as const;
const OUTCOMES: Readonly<Record<CommandOutcome["kind"], number>> = {
  done: 200,
  refused: 409,
  "timed_out": 504,
  "no_owner": 404,
  unknown: 409,
};

/** A command to an output, by its address. Its form and its point are as in the table. */
async function command(
  { ctx, output }: OrderSurroundings,
  { coa, ioa, value, mode = "execute", qualifier, key }: Body,
  remote: string,
): Promise<ControlReply> {
  if (!isWhole(coa, 65_534) || !isWhole(ioa, 16_777_215)) {
    return refusal(422, "coa and ioa must be whole numbers");
  }
  const point = output(coa, ioa);
  if (point === undefined) {
    return refusal(404, `The point table has no output (do, ao) at CA ${coa} IOA ${ioa}`);
  }
  const plain = typeof value === "number" || typeof value === "boolean" ||
    typeof value === "string";
  if (!plain) return refusal(422, "value must be a number, true, false or a text");
  const known = MODES.find((word) => word === mode);
  if (!known) return refusal(422, `mode must be one of ${MODES.join(", ")}`);
  if (qualifier !== undefined && !isWhole(qualifier, 127)) {
    return refusal(422, "qualifier must be from 0 to 127");
  }
  if (key !== undefined && typeof key !== "string") return refusal(422, "key must be a text");
  const outcome = await ctx.points.commands.request({
    point,
    value: value as PointValue,
    mode: known,
    // Without the port: who asks again after a broken connection is still the same.
    origin: `control:${remote.replace(/:\d+$/, "")}`,
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(key === undefined ? {} : { key }),
  }, after(ctx.clock.now(), COMMAND_WITHIN));
  return { status: OUTCOMES[outcome.kind], body: { point, outcome: { ...outcome } } };
}

function isWhole(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function replyTo(end: ExchangeEnd | boolean): ControlReply {
  if (end === true || (typeof end === "object" && end.kind === "done")) {
    return { status: 200, body: { ok: true } };
  }
  if (end === false) return refusal(504, "It was not answered in full; see the log");
  switch (end.kind) {
    case "refused":
      return refusal(409, `RTU: ${end.why}`);
    case "busy":
      return refusal(409, "Another one is under way");
    case "broken":
      return refusal(502, "The connection was lost");
    default:
      return refusal(504, "RTU did not answer in time");
  }
}

function refusal(status: number, error: string): ControlReply {
  return { status, body: { error } };
}
