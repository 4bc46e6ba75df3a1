import { percentile, probeReport } from "../../../src/app/probe_report.ts";
import { assertEquals } from "../../assert.ts";

Deno.test("A report has the middle and the tail, what was lost, and samples where wanted", () => {
  const samples = Array.from({ length: 100 }, (_, index) => ({
    sequence: index + 1,
    rttMs: 100 - index,
    serverMs: 0.5,
  }));
  const run = {
    ...{ transport: "zmq", startedNs: 1_000_000_000n, finishedNs: 3_000_000_000n, samples },
    ...{ sentFrames: 125, sentBytes: 2_500_000, echoBytes: 2_000_000, droppedFrames: 3 },
  };
  const { samples: kept, ...report } = probeReport(run, 1);
  assertEquals(report, {
    transport: "zmq",
    "started_at_unix_ns": "1000000000",
    "finished_at_unix_ns": "3000000000",
    "sent_frames": 125,
    "echo_frames": 100,
    "sent_bytes": 2_500_000,
    "echo_bytes": 2_000_000,
    "dropped_frames": 3,
    "loss_frames": 25,
    "loss_pct": 20,
    "rtt_ms_p50": 50,
    "rtt_ms_p95": 95,
    "rtt_ms_p99": 99,
    "rtt_ms_max": 100,
    "rtt_ms_avg": 50.5,
    "rtt_ms_std": 28.866,
    "server_proc_ms_p50": 0.5,
    "server_proc_ms_p95": 0.5,
    "server_proc_ms_p99": 0.5,
    "goodput_mbps_up": 10,
    "goodput_mbps_down": 8,
  });
  assertEquals(kept, [{ seq: 1, "rtt_ms": 100, "server_proc_ms": 0.5 }]);
  assertEquals(probeReport({ ...run, samples: [] }, 0).rtt_ms_p99, 0);
});

Deno.test("A percentile is a value that was measured", () => {
  assertEquals([percentile([1, 2, 3, 4], 0.5), percentile([1, 2, 3, 4], 0.99)], [2, 4]);
  assertEquals([percentile([7], 0), percentile([], 0.5)], [7, 0]);
});
