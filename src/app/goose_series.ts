/** The streams of the GOOSE bridge as series of /metrics. */
import type { Series } from "../kernel/metrics.ts";
import type { Json, JsonObject } from "../kernel/registry.ts";
import type { ServiceView } from "../kernel/status.ts";

type Kind = readonly [field: string, name: string, type: Series["type"], help: string];

const KINDS: readonly Kind[] = [
  ["alive", "up", "gauge", "1 while messages come within timeAllowedToLive"],
  ["st_num", "st_num", "gauge", "stNum of the last message"],
  ["sq_num", "sq_num", "gauge", "sqNum of the last message"],
  ["conf_rev", "conf_rev", "gauge", "Configuration revision of the last message"],
  ["simulation", "simulation", "gauge", "1 while the messages are simulated"],
  ["nds_com", "nds_com", "gauge", "1 while the control block needs commissioning"],
  ["age_us", "age_microseconds", "gauge", "How long the last message was on its way"],
  ["frames", "frames_total", "counter", "Messages that came"],
  ["lost", "lost_total", "counter", "Messages that are missing by sqNum"],
  ["lost_changes", "lost_changes_total", "counter", "Changes that are missing by stNum"],
  ["duplicates", "duplicates_total", "counter", "Messages that came twice"],
  ["reordered", "reordered_total", "counter", "Messages that came after a later one"],
  ["restarts", "restarts_total", "counter", "Times that the publisher has started anew"],
  ["expirations", "expirations_total", "counter", "Times that the stream fell silent"],
];

/** Every stream that /status shows, in each of its numbers. */
export function streamSeries(services: readonly ServiceView[]): Series[] {
  return services.flatMap(({ id, detail }) => {
    const streams = detail?.streams;
    if (!Array.isArray(streams)) return [];
    return (streams as readonly JsonObject[]).flatMap((stream) => seriesOf(id, stream));
  });
}

function seriesOf(service: string, stream: JsonObject): Series[] {
  const { way, source, app_id: appId, stream: reference } = stream;
  const labels = {
    service,
    way: String(way),
    source: String(source),
    appid: `0x${Number(appId).toString(16).padStart(4, "0")}`,
    gocbref: String(reference),
  };
  return KINDS.map(([field, name, type, help]): Series => ({
    name: `busbar_goose_stream_${name}`,
    type,
    help,
    value: numberOf(stream[field]),
    labels,
  }));
}

function numberOf(value: Json | undefined): number {
  return typeof value === "boolean" ? Number(value) : typeof value === "number" ? value : 0;
}
