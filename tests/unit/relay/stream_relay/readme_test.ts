/** The relay's page against the code: what the code counts is explained there. */
import { COUNTERS } from "../../../../src/relay/stream_relay/counters.ts";
import { assert, assertEquals } from "../../../assert.ts";

const PAGE = Deno.readTextFileSync(
  new URL("../../../../src/relay/stream_relay/README.md", import.meta.url),
);

Deno.test("The page of the relay explains every counter", () => {
  assertEquals(COUNTERS.filter((name) => !PAGE.includes(`\`${name}\``)), []);
});

Deno.test("The page of the relay has the headings that every page has", () => {
  const headings = [...PAGE.matchAll(/^## (.*)$/gm)].map(([, text]) => text!);
  const wanted = ["What it does", "Configuration", "Points and messages", "/status fields"];
  assert(wanted.every((heading) => headings.includes(heading)), headings.join(", "));
});
