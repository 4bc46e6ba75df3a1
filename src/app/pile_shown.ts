/** What the control port tells of the charging piles. */
import { AppError } from "../base/errors.ts";
import type { ControlClient } from "./client.ts";

/** Where nothing answers for piles. */
export const NO_GATEWAY = "This busbar has no gateway of piles that runs (modules: pile_gateway)";
/** Code of the error that says so. */
export const NO_GATEWAY_CODE = "pile.gateway";

/** A pile, as the control port tells it. */
export interface PileShown {
  readonly pile: string;
  readonly state: string;
  readonly closed: boolean;
  readonly power: number;
  readonly energy: number;
  readonly fault: number;
  readonly hazard: boolean;
  readonly policy: number;
  readonly version: string;
  readonly heard: string | null;
}

/** All of them, and what goes for all. */
export interface Shown {
  readonly station: string;
  readonly sessions: number;
  readonly policy: { readonly id: string; readonly version: number } | null;
  readonly "auth_ms": { readonly count: number; readonly p50: number; readonly p99: number };
  readonly piles: readonly PileShown[];
}

/** What is known of the piles. @throws AppError when there is no gateway. */
export async function shownBy(client: ControlClient): Promise<Shown> {
  try {
    return await client.get("/piles") as unknown as Shown;
  } catch (error) {
    throw hasNoGateway(error) ? new AppError(NO_GATEWAY_CODE, NO_GATEWAY) : error;
  }
}

function hasNoGateway(error: unknown): boolean {
  return error instanceof AppError && error.detail.status === 404;
}
