/** What this process has used of the machine. */
import process from "node:process";
import type { Usage } from "./ports.ts";

/** As the kernel counts it. */
export const SYSTEM_USAGE: Usage = {
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  memory: () => Deno.memoryUsage().rss,
};
