/** Names of what a listener counts; the README says what each means. */
export const COUNTERS = [
  "connections",
  "refused_connections",
  "links_closed",
  "asdus_in",
  "asdus_out",
  "events_sent",
  "events_lost",
  "interrogations",
  "commands",
  "commands_refused",
  "unknown_requests",
  "malformed",
] as const;
