/** What an operator can ask of the gateway over the control port. */
import { after } from "../../base/time.ts";
import type { ControlReply, Json, JsonObject } from "../../kernel/registry.ts";
import type { PointValue } from "../../points/points.ts";
import { OUTPUTS, pointOf } from "./mapping.ts";
import type { PileRecord } from "./pile_record.ts";
import type { Gateway } from "./service.ts";

/** Puts `/piles` and what is below it onto the control port, as long as the service runs. */
export function takeOrders(gateway: Gateway): void {
  const { control, log } = gateway.ctx;
  control.route("GET", "/piles", "read", () => ({ status: 200, body: shown(gateway) }));
  control.route("POST", "/piles/command", "change", async ({ body, remote }) => {
    return await command(gateway, (body ?? {}) as JsonObject, remote);
  });
  control.route("POST", "/piles/policy", "change", async ({ body, remote }) => {
    const document = typeof body === "string" ? body : JSON.stringify(body ?? {});
    const fault = await gateway.policies.replace(document);
    const version = gateway.policies.policy?.version;
    log.info("pile.policy.given", "Operator has given a policy", {
      client: remote,
      ...fault === undefined ? { version } : { refused: fault },
    });
    gateway.audit.policy(remote, fault === undefined ? version : undefined, fault);
    if (fault !== undefined) return refusal(422, fault);
    gateway.distribute();
    return { status: 200, body: { version: version ?? null } };
  });
  control.route("POST", "/piles/reload", "change", async ({ remote }) => {
    try {
      const piles = await gateway.readRegister();
      log.info("pile.register", "Register was read anew", { piles, client: remote });
      return { status: 200, body: { piles } };
    } catch (error) {
      return refusal(422, error instanceof Error ? error.message : String(error));
    }
  });
  control.status(() => {
    const { ctx: { id }, authenticator, sessions, records } = gateway;
    return { [id]: { sessions, piles: records.size, "auth_ms": { ...authenticator.latency } } };
  });
}

function shown(gateway: Gateway): Json {
  const { config: { station }, policies: { policy }, authenticator, records, sessions } = gateway;
  return {
    station,
    sessions,
    policy: policy ? { id: policy.id, version: policy.version } : null,
    "auth_ms": { ...authenticator.latency },
    piles: [...records.values()].map(rowOf),
  };
}

function rowOf(record: PileRecord): JsonObject {
  const { name, mirror, session, power, energy, fault, version, hardware, heardAt } = record;
  return {
    pile: name,
    online: session !== undefined,
    state: mirror.state,
    closed: mirror.closed,
    power,
    energy,
    fault,
    hazard: mirror.hazard,
    policy: record.policyVersion,
    version,
    hardware,
    signer: record.enrolled.key.signer,
    cipher: record.enrolled.cipher,
    sealed: session?.isSealed ?? false,
    upgrading: record.upgrading,
    remote: session?.remote ?? null,
    heard: heardAt === 0 ? null : new Date(heardAt).toISOString(),
  };
}

/** `{pile, output, value}`: the same as the command of the point, and audited as that is. */
async function command(
  { ctx, config, records }: Gateway,
  { pile, output, value = true }: JsonObject,
  remote: string,
): Promise<ControlReply> {
  const name = OUTPUTS.find((one) => one === output);
  if (!name) return refusal(422, `output must be one of ${OUTPUTS.join(", ")}, not "${output}"`);
  const record = typeof pile === "string" ? records.get(pile) : undefined;
  if (!record) return refusal(404, `There is no pile ${pile}`);
  if (typeof value !== "boolean" && typeof value !== "number") {
    return refusal(422, "value must be true, false or a number");
  }
  const outcome = await ctx.points.commands.request({
    point: pointOf(config.station, record.name, name),
    value: value as PointValue,
    origin: `control:${remote.replace(/:\d+$/, "")}`,
  }, after(ctx.clock.now(), config.commandWithin));
  const why = outcome.kind === "refused" ? { why: outcome.why } : {};
  return { status: outcome.kind === "done" ? 200 : 409, body: { outcome: outcome.kind, ...why } };
}

function refusal(status: number, error: string): ControlReply {
  return { status, body: { error } };
}
