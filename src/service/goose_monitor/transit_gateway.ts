/** Asks an AWS transit gateway, through its command line, whether a group has its member. */
import { describe, OsError } from "../../base/errors.ts";
import { after, type Millis } from "../../base/time.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Programs } from "../../platform/ports.ts";

/** What is asked. */
export interface GatewayQuestion {
  /** The AWS CLI. */
  readonly program: string;
  readonly domain: string;
  readonly group: string;
  /** Undefined: any member counts. */
  readonly networkInterface: string | undefined;
}

/** What came back: whether there is the member, or why that is not known. */
export type GatewayAnswer =
  | { readonly kind: "present" | "missing" }
  | { readonly kind: "unknown"; readonly why: string };

/** Asks once. It settles within `timeout`, and never rejects. */
export async function askGateway(
  question: GatewayQuestion,
  programs: Programs,
  clock: Clock,
  timeout: Millis,
  signal: AbortSignal,
): Promise<GatewayAnswer> {
  const late = new AbortController();
  const stop = () => late.abort();
  using _alarm = clock.alarm(after(clock.now(), timeout), stop);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const { domain, group } = question;
    const { code, stdout, stderr } = await programs.run(question.program, [
      "ec2",
      "search-transit-gateway-multicast-groups",
      "--transit-gateway-multicast-domain-id",
      domain,
      "--filters",
      `Name=group-ip-address,Values=${group}`,
      "--output",
      "json",
    ], late.signal);
    if (code !== 0) {
      const [line = ""] = stderr.trim().split("\n").toReversed();
      return unknown(`${question.program} ended with ${code}: ${line.slice(0, 200)}`);
    }
    return read(stdout, question);
  } catch (error) {
    if (!(error instanceof OsError)) throw error;
    return unknown(
      late.signal.aborted ? `no answer within ${timeout / 1000} s` : describe(error),
    );
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

interface Member {
  readonly GroupIpAddress?: unknown;
  readonly GroupMember?: unknown;
  readonly NetworkInterfaceId?: unknown;
}

/** An answer lists members and sources; only a member counts. */
function read(text: string, { group, networkInterface }: GatewayQuestion): GatewayAnswer {
  let members: unknown;
  try {
    members = (JSON.parse(text) as { MulticastGroups?: unknown } | null)?.MulticastGroups;
  } catch {
    return unknown("the answer is no JSON");
  }
  if (!Array.isArray(members)) return unknown("the answer has no MulticastGroups");
  const present = members.some((member: Member | null) =>
    member?.GroupIpAddress === group && member.GroupMember === true &&
    (networkInterface === undefined || member.NetworkInterfaceId === networkInterface)
  );
  return { kind: present ? "present" : "missing" };
}

function unknown(why: string): GatewayAnswer {
  return { kind: "unknown", why };
}
