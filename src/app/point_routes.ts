/** What can be asked of the points over the control port. */
import { after, type Millis, seconds } from "../base/time.ts";
import type { Registry } from "../kernel/control_registry.ts";
import type { ControlReply, Json, JsonObject } from "../kernel/registry.ts";
import type { Clock } from "../platform/clock.ts";
import type { CommandMode, CommandOutcome } from "../points/commands.ts";
import {
  isPointId,
  type PointId,
  type Points,
  type PointValue,
  QUALITY,
  type Sample,
} from "../points/points.ts";
import type { PointPlane } from "./point_plane.ts";

/** Most points in one answer; `after` asks for the next. */
const POINTS_PER_ANSWER = 5000;
/** Most commands of the audit in one answer. */
const AUDIT_PER_ANSWER = 1000;
/** How long a command may take. */
const COMMAND_WITHIN: Millis = seconds(15);
const MODES: readonly CommandMode[] = ["execute", "select", "cancel"];

/** HTTP codes of how a command ended. */
const CODES: Readonly<Record<CommandOutcome["kind"], number>> = {
  done: 200,
  refused: 409,
  "timed_out": 504,
  "no_owner": 404,
  unknown: 409,
};

/** Puts the routes of the points into the registry. */
export function installPointRoutes(registry: Registry, plane: PointPlane, clock: Clock): void {
  const { points } = plane;
  registry.route("GET", "/points", "read", ({ query }) => pointsReply(points, query));
  registry.route("GET", "/points/audit", "read", ({ query }) => auditReply(points, query));
  registry.route("POST", "/points/set", "change", async ({ body, remote }) => {
    // Without the port: who asks again after a broken connection is still the same.
    return await set(points, clock, body, `control:${remote.replace(/:\d+$/, "")}`);
  });
}

function pointsReply(points: Points, query: URLSearchParams): ControlReply {
  const prefix = query.get("prefix") ?? "";
  const behind = query.get("after");
  const asked = (point: PointId) => point.startsWith(prefix) && (behind === null || point > behind);
  const found: { readonly point: PointId; readonly sample?: Sample }[] = points.snapshot(asked)
    .map((sample) => ({ point: sample.point, sample }));
  for (const { point } of points.definitions()) {
    if (asked(point) && !points.last(point)) found.push({ point });
  }
  found.sort((one, other) => one.point < other.point ? -1 : 1);
  const shown = found.slice(0, POINTS_PER_ANSWER).map(({ point, sample }) =>
    pointJson(points, point, sample)
  );
  return { status: 200, body: { points: shown, more: found.length > shown.length } };
}

/** A point that was defined and never told has null for its value and its time. */
function pointJson(points: Points, point: PointId, sample: Sample | undefined): JsonObject {
  const definition = points.definition(point);
  const { value, quality, at } = sample ?? { value: null, quality: QUALITY.stale, at: null };
  return {
    point,
    value: typeof value === "bigint" ? String(value) : value,
    quality,
    at,
    ...(definition?.unit ? { unit: definition.unit } : {}),
    ...(definition?.description ? { description: definition.description } : {}),
  };
}

function auditReply({ journal }: Points, query: URLSearchParams): ControlReply {
  if (!journal) {
    return { status: 404, body: { error: "There is no audit; it needs points.folder" } };
  }
  const most = Number(query.get("most") ?? 100);
  const good = Number.isInteger(most) && most >= 1 && most <= AUDIT_PER_ANSWER;
  if (!good) return refusal(`most must be a whole number from 1 to ${AUDIT_PER_ANSWER}`);
  return { status: 200, body: { commands: journal.audits(most).map((row) => ({ ...row })) } };
}

function refusal(error: string): ControlReply {
  return { status: 422, body: { error } };
}

/** Sets a value by hand, or asks the point's owner to bring it about. */
async function set(
  points: Points,
  clock: Clock,
  body: Json | undefined,
  origin: string,
): Promise<ControlReply> {
  const { point, value, substitute, mode, qualifier, key } = (body ?? {}) as Record<string, Json>;
  if (typeof point !== "string" || !isPointId(point)) {
    return refusal("point must be a name such as gz_01.do.5");
  }
  const plain = typeof value === "number" || typeof value === "boolean" ||
    typeof value === "string";
  if (!plain) return refusal("value must be a number, true, false or a text");
  if (substitute === true) return substituted(points, clock, point, value, origin);
  if (mode !== undefined && !MODES.includes(mode as CommandMode)) {
    return refusal(`mode must be one of ${MODES.join(", ")}`);
  }
  if (qualifier !== undefined && !Number.isInteger(qualifier)) {
    return refusal("qualifier must be a whole number");
  }
  if (key !== undefined && typeof key !== "string") return refusal("key must be a text");
  const outcome = await points.commands.request({
    point,
    value,
    origin,
    mode: (mode as CommandMode | undefined) ?? "execute",
    ...(qualifier === undefined ? {} : { qualifier: qualifier as number }),
    ...(key === undefined ? {} : { key }),
  }, after(clock.now(), COMMAND_WITHIN));
  return { status: CODES[outcome.kind], body: { outcome: { ...outcome } } };
}

function substituted(
  points: Points,
  clock: Clock,
  point: PointId,
  value: PointValue,
  origin: string,
): ControlReply {
  const definition = points.definition(point);
  if (!definition && !points.last(point)) return { status: 404, body: { error: `No ${point}` } };
  const at = clock.epoch();
  const numeric = definition && typeof value === "number";
  // The hub scales what comes from devices; what is set by hand is in engineering units already.
  const raw = numeric ? (value - definition.offset) / definition.scale : value;
  points.publish([{ point, value: raw, quality: QUALITY.substituted, at, event: true }]);
  points.journal?.audit({
    ...{ at, key: "", origin, point, value: String(value), mode: "substitute" },
    ...{ outcome: "done", why: "", took: 0 },
  });
  return { status: 200, body: { outcome: { kind: "done" } } };
}
