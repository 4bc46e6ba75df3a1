import type { Neighbor } from "../../../../src/kernel/module.ts";
import type { JsonObject } from "../../../../src/kernel/registry.ts";
import { quantile, Rates, statistics } from "../../../../src/service/goose_monitor/statistics.ts";
import { assertEquals } from "../../../assert.ts";

function neighbor(counters: Record<string, number>): Neighbor {
  const config = { tap: "goose0", group: "224.0.1.100", port: 61850 };
  return { state: "up", counters, detail: {}, config };
}

const GATEWAY = { missing: 2, present: true, answeredAt: 1_500_000 };

Deno.test("The statistics have every field of the former file, in its shape", () => {
  const counters = {
    "frames_out": 12,
    "frames_in": 9,
    "tap_received": 20,
    "tap_received_tagged": 5,
    "drop_ethertype": 3,
    dropped: 4,
    "drop_no_network": 1,
    malformed: 2,
    "last_activity": 1459.9,
    "igmp_reports": 7,
    "igmp_last_report": 1450,
  };
  const document = statistics({
    now: 1_460_120,
    startedAt: 1_400_000,
    running: true,
    primary: { neighbor: neighbor(counters), gateway: GATEWAY },
    backup: {
      neighbor: undefined,
      gateway: { missing: 0, present: undefined, answeredAt: 0 },
    },
    rates: { primary: {}, backup: {} },
  });
  const keys = (value: unknown) => Object.keys(value as JsonObject);
  assertEquals(keys(document), ["timestamp", "service_info", "statistics", "health"]);
  assertEquals(document.service_info, {
    primary_interface: "goose0",
    backup_interface: "",
    primary_multicast: "224.0.1.100:61850",
    backup_multicast: "",
    dual_path_mode: "independent",
  });
  const { start_time, uptime, primary_path, igmp_stats } = document.statistics as JsonObject;
  assertEquals([document.timestamp, start_time, uptime], [1460.12, 1400, 60.12]);
  const { drops, latency: _, ...path } = primary_path as JsonObject;
  assertEquals(path, {
    goose_to_ip: 12,
    ip_to_goose: 9,
    goose_received: 12,
    vlan_goose_received: 5,
    errors: 3,
    last_activity: 1459.9,
    dropped: 4,
  });
  assertEquals(drops, { ethertype: 3, no_network: 1 });
  assertEquals((igmp_stats as JsonObject).primary, {
    keepalive_count: 7,
    reregister_count: 0,
    monitor_checks: 0,
    tgw_missing_count: 2,
    local_missing_count: 0,
    last_keepalive: 1450,
    last_monitor_check: 0,
    tgw_present: true,
    tgw_answered: 1500,
  });
  assertEquals(document.health, { running: true, primary_active: true, backup_active: false });
});

Deno.test("Rates are per second, and never negative after a restart", () => {
  const rates = new Rates();
  rates.next(neighbor({ frames_out: 100 }), 1000);
  assertEquals(rates.next(neighbor({ frames_out: 350, dropped: 1 }), 11_000), {
    goose_to_ip_per_s: 25,
    ip_to_goose_per_s: 0,
    dropped_per_s: 0.1,
  });
  assertEquals(rates.next(neighbor({ frames_out: 10 }), 21_000).goose_to_ip_per_s, 0);
  assertEquals(rates.next(undefined, 21_000).goose_to_ip_per_s, 0, "no time has passed");
});

Deno.test("A quantile is the upper end of its class, or unknown", () => {
  const ages = {
    "age_within_100us": 50,
    "age_within_1ms": 49,
    "age_within_20ms": 1,
    "age_beyond_100ms": 0,
  };
  assertEquals([0.5, 0.99, 0.999].map((share) => quantile(ages, share)), [100, 1000, 20_000]);
  assertEquals(quantile({ age_beyond_100ms: 1 }, 0.5), null);
  assertEquals(quantile({}, 0.5), null);
});
