/** What an operator can ask of an RTU over the control port. */
import type { Context } from "../../kernel/module.ts";
import type { ControlReply, Json } from "../../kernel/registry.ts";
import type { ExchangeEnd } from "./exchanges.ts";
import type { Session } from "./session.ts";

/** What can be asked for; the last word of the path. */
export const ORDERS = ["interrogate", "counters", "clock", "test", "reset", "read"] as const;
/** One of {@linkcode ORDERS}. */
export type Order = (typeof ORDERS)[number];

/** Puts `POST /fep/<instance>/<order>` onto the control port, as long as the service runs. */
export function takeOrders(ctx: Context, session: () => Session | undefined): void {
  const name = ctx.id.slice(ctx.id.indexOf(".") + 1);
  for (const order of ORDERS) {
    ctx.control.route("POST", `/fep/${name}/${order}`, "change", async ({ body, remote }) => {
      const current = session();
      if (!current?.started) return refusal(409, "RTU is not connected");
      ctx.log.info("iec104.order", "Operator has asked for it", { order, client: remote });
      return await carryOut(current, order, body);
    });
  }
}

async function carryOut(
  session: Session,
  order: Order,
  body: Json | undefined,
): Promise<ControlReply> {
  switch (order) {
    case "interrogate":
      return replyTo(await session.interrogate());
    case "counters":
      return replyTo(await session.interrogateCounters());
    case "clock":
      return replyTo(await session.syncClock());
    case "test":
      return replyTo(await session.test());
    case "reset":
      return replyTo(await session.reset());
    case "read": {
      const { coa, ioa } = (body ?? {}) as { coa?: unknown; ioa?: unknown };
      const good = isWhole(coa, 65_534) && isWhole(ioa, 16_777_215);
      if (!good) return refusal(422, "coa and ioa must be whole numbers");
      return replyTo(session.read(coa, ioa));
    }
  }
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
