/** The witnesses of the goose commands on this machine: the control port, the file, the kernel. */
import { describe, LinkDownError } from "../base/errors.ts";
import { readConfig } from "../kernel/config.ts";
import { memberships } from "../platform/linux/igmp.ts";
import { Interfaces } from "../platform/linux/ioctl.ts";
import { ControlClient, controlTarget, TARGET_OPTIONS } from "./client.ts";
import { findConfig } from "./config_file.ts";
import type { Invocation } from "./command.ts";
import { gooseStatusCommandsOf, type Witnesses } from "./commands/goose_status.ts";
import { type BridgePath, pathsOfConfig, pathsOfStatus } from "./goose_paths.ts";
import { MODULES } from "./modules.ts";

/** This machine. */
export const MACHINE: Witnesses = {
  options: TARGET_OPTIONS,
  paths: async (call) => {
    try {
      const client = new ControlClient(await controlTarget(call));
      return { paths: pathsOfStatus(await client.get("/status")), silent: "" };
    } catch (error) {
      if (!(error instanceof LinkDownError)) throw error;
      return { paths: await configured(call), silent: `busbar: ${describe(error)}` };
    }
  },
  kernel: {
    interface: (name) => {
      using interfaces = new Interfaces();
      return interfaces.state(name);
    },
    memberships,
  },
};

/** The paths that a busbar with the same options would run. */
async function configured({ options, terminal }: Invocation): Promise<readonly BridgePath[]> {
  const named = typeof options.config_path === "string" ? options.config_path : undefined;
  const { file, text } = await findConfig(named, terminal.env);
  const { config } = readConfig({ file, text, modules: MODULES, env: terminal.env, flags: {} });
  return pathsOfConfig(config?.services ?? []);
}

/** `busbar goose test | interfaces | multicast | stats`. */
export const gooseStatusCommands = gooseStatusCommandsOf(MACHINE);
