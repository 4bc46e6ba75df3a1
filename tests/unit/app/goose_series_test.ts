import { streamSeries } from "../../../src/app/goose_series.ts";
import { metricsText } from "../../../src/kernel/metrics.ts";
import type { NodeView, ServiceView } from "../../../src/kernel/status.ts";
import { assertEquals } from "../../assert.ts";
import { parseMetrics } from "../../sim/prometheus.ts";

function service(streams: unknown): ServiceView {
  const detail = { streams } as ServiceView["detail"];
  const rest = { state: "up", sinceS: 0, restarts: 0, why: undefined, counters: {} };
  return { id: "goose_bridge.path0", ...rest, detail };
}

Deno.test("Streams are series with labels, whatever is in their names", () => {
  const stream = {
    way: "in",
    source: "00:11:22:33:44:55",
    "app_id": 4096,
    stream: 'A"B\\C$GO',
    alive: true,
    "st_num": 7,
    frames: 20,
  };
  const services = [service([stream, { ...stream, way: "out", alive: false }]), service(undefined)];
  const series = streamSeries(services);
  assertEquals(series.length, 28);
  const view: NodeView = {
    status: "Running",
    version: "0",
    uptimeS: 0,
    config: "",
    services: [],
    memory: { residentOctets: 0 },
    control: {},
  };
  const up = parseMetrics(metricsText(view, series)).get("busbar_goose_stream_up")!.samples;
  assertEquals(up.map(({ value }) => value), [1, 0]);
  assertEquals(up[0]!.labels.gocbref, 'A"B\\C$GO');
  assertEquals(up[0]!.labels.appid, "0x1000");
});
