/** The sessions of the stream relay as series of /metrics. */
import type { Series } from "../kernel/metrics.ts";
import type { JsonObject } from "../kernel/registry.ts";
import type { ServiceView } from "../kernel/status.ts";

type Kind = readonly [field: string, name: string, type: Series["type"], help: string];

const KINDS: readonly Kind[] = [
  ["octets_up", "octets_up_total", "counter", "Octets from the client"],
  ["octets_down", "octets_down_total", "counter", "Octets from the server"],
  ["mbps_up", "mbps_up", "gauge", "Mbit/s from the client in the last second"],
  ["mbps_down", "mbps_down", "gauge", "Mbit/s from the server in the last second"],
  ["waiting_up", "waiting_up_octets", "gauge", "Octets that the server has not taken"],
  ["waiting_down", "waiting_down_octets", "gauge", "Octets that the client has not taken"],
  ["rtt_ms", "rtt_milliseconds", "gauge", "Round trips of both legs together"],
  ["loss_pct", "loss_percent", "gauge", "Segments taken for lost in the last second"],
  ["retrans_pct", "retransmitted_percent", "gauge", "Segments sent again in the last second"],
  ["quality", "quality", "gauge", "0 to 100"],
];

/** Every session that /status shows, in each of its numbers. */
export function sessionSeries(services: readonly ServiceView[]): Series[] {
  return services.flatMap(({ id, detail }) => {
    const all = [detail?.sessions, detail?.srt_sessions].flatMap((sessions) =>
      Array.isArray(sessions) ? sessions as readonly JsonObject[] : []
    );
    return all.flatMap((session) => {
      const labels = {
        service: id,
        kind: session.kind === "zmq" ? "tcp" : String(session.kind),
        session: String(session.session_id),
        server: String(session.server_id),
        client: String(session.client_id),
      };
      return KINDS.map(([field, name, type, help]): Series => ({
        ...{ name: `busbar_relay_session_${name}`, type, help, labels },
        value: Number(session[field] ?? 0),
      }));
    });
  });
}
