/** Times that come again and again, as crontab writes them; the only file that imports croner. */
import { Cron } from "croner";

/** A pattern of times. */
export interface Schedule {
  /** The first time after `epoch`, in milliseconds; undefined when there is none any more. */
  next(epoch: number): number | undefined;
}

/**
 * Reads a pattern of five fields, or of six with seconds in front.
 *
 * @param zone Of the IANA database.
 * @returns What is wrong with it as a text, otherwise.
 */
export function parseSchedule(pattern: string, zone = "UTC"): Schedule | string {
  try {
    const cron = new Cron(pattern, { paused: true, timezone: zone, mode: "5-or-6-parts" });
    return { next: (epoch) => cron.nextRun(new Date(epoch))?.getTime() };
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}
