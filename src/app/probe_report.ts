/** What a probe of a relay has measured, as the former tool reported it, and what was lost beside. */

/** One echo. */
export interface Sample {
  readonly sequence: number;
  readonly rttMs: number;
  readonly serverMs: number;
}

/** What a run came to. */
export interface ProbeRun {
  readonly transport: string;
  readonly startedNs: bigint;
  readonly finishedNs: bigint;
  readonly sentFrames: number;
  readonly sentBytes: number;
  readonly echoBytes: number;
  /** Frames that were left out on purpose. */
  readonly droppedFrames: number;
  readonly samples: readonly Sample[];
}

/** The value below which that share of sorted values lies; 0 of none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/**
 * The report, ready for JSON.
 * @param kept How many samples it has at most.
 */
export function probeReport(run: ProbeRun, kept: number): Record<string, unknown> {
  const { samples, sentFrames, sentBytes, echoBytes, startedNs, finishedNs } = run;
  const rtt = samples.map(({ rttMs }) => rttMs).toSorted((one, other) => one - other);
  const server = samples.map(({ serverMs }) => serverMs).toSorted((one, other) => one - other);
  const seconds = Math.max(1e-9, Number(finishedNs - startedNs) / 1e9);
  const mean = rtt.reduce((sum, value) => sum + value, 0) / Math.max(1, rtt.length);
  const square = rtt.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const lost = Math.max(0, sentFrames - samples.length);
  return {
    transport: run.transport,
    "started_at_unix_ns": String(startedNs),
    "finished_at_unix_ns": String(finishedNs),
    "sent_frames": sentFrames,
    "echo_frames": samples.length,
    "sent_bytes": sentBytes,
    "echo_bytes": echoBytes,
    "dropped_frames": run.droppedFrames,
    "loss_frames": lost,
    "loss_pct": round(100 * lost / Math.max(1, sentFrames)),
    "rtt_ms_p50": round(percentile(rtt, 0.5)),
    "rtt_ms_p95": round(percentile(rtt, 0.95)),
    "rtt_ms_p99": round(percentile(rtt, 0.99)),
    "rtt_ms_max": round(rtt.at(-1) ?? 0),
    "rtt_ms_avg": round(mean),
    "rtt_ms_std": round(Math.sqrt(square / Math.max(1, rtt.length))),
    "server_proc_ms_p50": round(percentile(server, 0.5)),
    "server_proc_ms_p95": round(percentile(server, 0.95)),
    "server_proc_ms_p99": round(percentile(server, 0.99)),
    "goodput_mbps_up": round(sentBytes * 8 / 1e6 / seconds),
    "goodput_mbps_down": round(echoBytes * 8 / 1e6 / seconds),
    ...(kept > 0
      ? {
        samples: samples.slice(0, kept).map(({ sequence, rttMs, serverMs }) => ({
          seq: sequence,
          "rtt_ms": round(rttMs),
          "server_proc_ms": round(serverMs),
        })),
      }
      : {}),
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
