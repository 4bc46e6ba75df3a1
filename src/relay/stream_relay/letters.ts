/**
 * What the two halves of the relay say to one another: the control plane on the main thread, the
 * data plane in its worker.
 * @module
 */
import type { Role } from "../../protocol/v4relay/mod.ts";

/** A session that may meet on a port. */
export interface Reserve {
  readonly kind: "reserve";
  readonly port: number;
  readonly sessionId: string;
  readonly id: Readonly<Record<Role, string>>;
  readonly ticket: Readonly<Record<Role, string>>;
}

/** To the data plane. */
export type ToPlane =
  | Reserve
  /** Nobody came, or the client took it back. */
  | { readonly kind: "withdraw"; readonly port: number; readonly sessionId: string }
  /** Ends a session that runs. */
  | { readonly kind: "kick"; readonly sessionId: string }
  /** Takes nobody any more; sessions that run may end by themselves. */
  | { readonly kind: "drain" };

/** How a session ended. */
export type Ending = "finished" | "reset" | "idle" | "stalled" | "kicked" | "stopped";

/** One session as it was in the last second. */
export type SessionView = {
  readonly kind: "zmq" | "srt";
  readonly port: number;
  readonly "session_id": string;
  readonly "server_id": string;
  readonly "client_id": string;
  /** From the client to the server. */
  readonly "mbps_up": number;
  readonly "mbps_down": number;
  /** Round trips of both legs together. */
  readonly "rtt_ms": number;
  readonly "loss_pct": number;
  readonly "retrans_pct": number;
  /** 0 … 100. */
  readonly quality: number;
  readonly "octets_up": number;
  readonly "octets_down": number;
  /** Octets that wait for a receiver that does not take them, inside of the relay. */
  readonly "waiting_up": number;
  readonly "waiting_down": number;
  readonly seconds: number;
  readonly "silent_ms": number;
  readonly "server_address": string;
  readonly "client_address": string;
};

/** From the data plane. */
export type FromPlane =
  /** All ports listen. `ports` are those that were bound, in the order of the range. */
  | { readonly kind: "listening"; readonly ports: readonly number[] }
  /** One end of a session waits at its port; told every 2 s. */
  | { readonly kind: "waiting"; readonly port: number; readonly sessionId: string }
  | { readonly kind: "met"; readonly port: number; readonly sessionId: string }
  | {
    readonly kind: "ended";
    readonly port: number;
    readonly sessionId: string;
    readonly how: Ending;
  }
  | { readonly kind: "telemetry"; readonly sessions: readonly SessionView[] }
  /** Asked to drain, and no session is left. */
  | { readonly kind: "drained" };
