/**
 * Metrics in the text exposition format 0.0.4 of Prometheus, made of what /status shows.
 * @module
 */
import type { NodeView } from "./status.ts";

/** Counters that go down too. */
const GAUGES = new Set([
  "peers",
  "queue_depth",
  "streams",
  "missing",
  "last_activity",
  "igmp_last_report",
  "igmp_last_check",
]);
/** States of a service, as values of the label `state`. */
const STATES = ["starting", "up", "degraded", "waiting", "refused", "stopped", "leaked"];

type Labels = Readonly<Record<string, string>>;

/** One value beside those that every service has. */
export interface Series {
  /** The whole name; a counter's ends in `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly value: number;
  readonly labels: Labels;
}

class Exposition {
  readonly #blocks = new Map<string, string[]>();

  /** Adds one value; the block of a name is begun by its first one. */
  add(name: string, type: "counter" | "gauge", help: string, value: number, labels: Labels = {}) {
    const block = this.#blocks.get(name) ??
      [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`];
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    block.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${format(value)}`);
    this.#blocks.set(name, block);
  }

  get text(): string {
    return [...this.#blocks.values()].map((lines) => `${lines.join("\n")}\n`).join("");
  }
}

/**
 * The metrics of a node.
 *
 * @param more What modules have beside their counters.
 */
export function metricsText(view: NodeView, more: readonly Series[] = []): string {
  const out = new Exposition();
  const { version, config } = view;
  out.add("busbar_build_info", "gauge", "Version and configuration", 1, { version, config });
  out.add("busbar_uptime_seconds", "gauge", "Seconds since the start", view.uptimeS);
  const { residentOctets } = view.memory;
  out.add("process_resident_memory_bytes", "gauge", "Resident memory", residentOctets);
  for (const { id, state, restarts } of view.services) {
    for (const one of STATES) {
      const help = "1 for the state that the service is in";
      out.add("busbar_service_state", "gauge", help, one === state ? 1 : 0, {
        service: id,
        state: one,
      });
    }
    const help = "Starts of the service after its first";
    out.add("busbar_service_restarts_total", "counter", help, restarts, { service: id });
  }
  for (const { id, counters } of view.services) {
    for (const [name, value] of Object.entries(counters)) {
      const help = `${name} of the service`;
      if (GAUGES.has(name)) out.add(`busbar_${name}`, "gauge", help, value, { service: id });
      else out.add(`busbar_${name}_total`, "counter", help, value, { service: id });
    }
  }
  for (const [name, value] of Object.entries(view.control)) {
    const gauge = name === "connections";
    out.add(
      `busbar_control_${name}${gauge ? "" : "_total"}`,
      gauge ? "gauge" : "counter",
      `${name} of the control port`,
      value,
    );
  }
  for (const { name, type, help, value, labels } of more) out.add(name, type, help, value, labels);
  return out.text;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function format(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
