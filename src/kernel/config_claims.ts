/** What only one service may hold, compared over the whole configuration. */
import type { Endpoint } from "../platform/ports.ts";
import type { ServiceConfig } from "./config.ts";
import type { Claim } from "./module.ts";

/** Two places that want the same thing; told at the second. */
export interface ClaimProblem {
  readonly path: readonly string[];
  readonly message: string;
  readonly remedy: string;
}

interface Held {
  readonly path: readonly string[];
  readonly claim: Claim;
}

/** Every pair of services that cannot both run. */
export function claimProblems(
  control: Endpoint,
  services: readonly ServiceConfig[],
): ClaimProblem[] {
  const { host: address, port } = control;
  const held: Held[] = [
    { path: ["control"], claim: { kind: "listen", transport: "tcp", address, port } },
  ];
  const problems: ClaimProblem[] = [];
  for (const { id, module, config } of services) {
    const path = ["modules", ...id.split(".")];
    for (const claim of module.claims(config as never)) {
      const rival = held.find((other) => collide(other.claim, claim));
      if (rival) {
        problems.push({
          path,
          message: `wants ${nameOf(claim)}, which ${rival.path.join(".")} has already`,
          remedy: "Give one of them another",
        });
      }
      held.push({ path, claim });
    }
  }
  return problems;
}

function nameOf(claim: Claim): string {
  switch (claim.kind) {
    case "listen":
      return `${claim.address}:${claim.port}/${claim.transport}`;
    case "interface":
      return `interface ${claim.name}`;
    case "device":
      return `device ${claim.path}`;
  }
}

function collide(a: Claim, b: Claim): boolean {
  if (a.kind === "listen" && b.kind === "listen") {
    if (a.transport !== b.transport || a.port !== b.port || a.port === 0) return false;
    return a.address === b.address || isWildcard(a.address) || isWildcard(b.address);
  }
  if (a.kind === "interface" && b.kind === "interface") return a.name === b.name;
  return a.kind === "device" && b.kind === "device" && a.path === b.path;
}

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
