/** Names of what an RTU's service counts; the README says what each means. */
export const COUNTERS = [
  "asdus_in",
  "asdus_out",
  "samples",
  "malformed",
  "unexpected",
  "connects",
  "connect_failures",
  "links_lost",
  "rounds_failed",
  "interrogations",
  "interrogations_failed",
  "commands",
  "commands_failed",
  "held_back",
] as const;
