import { MODULES } from "../../../../src/app/modules.ts";
import { readConfig } from "../../../../src/kernel/config.ts";
import { readUnsignedPolicy, TAG, TYPE } from "../../../../src/protocol/cip22/mod.ts";
import { COUNTERS } from "../../../../src/south/pile_gateway/counters.ts";
import { INPUTS, OUTPUTS } from "../../../../src/south/pile_gateway/mapping.ts";
import { readPiles } from "../../../../src/south/pile_gateway/register.ts";
import { assert, assertEquals } from "../../../assert.ts";

const PAGE = Deno.readTextFileSync(
  new URL("../../../../src/south/pile_gateway/README.md", import.meta.url),
);

/** Rows of the table whose first column has this title: the cells without their marks. */
function table(title: string): string[][] {
  const start = PAGE.indexOf(`| ${title} `);
  assert(start >= 0, `there is no table of ${title}`);
  const rows = PAGE.slice(start).split("\n\n")[0]!.split("\n").slice(2);
  return rows.map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()));
}

function names(title: string): string[] {
  return table(title).map(([name]) => name!.replaceAll("`", ""));
}

/** The first example in a language. */
function example(language: string): string {
  const [, text] = new RegExp("```" + language + "\\n([^]*?)```").exec(PAGE) ?? [];
  assert(text, `there is no example in ${language}`);
  return text;
}

function numbers(title: string): Record<string, number> {
  return Object.fromEntries(
    table(title).map(([name, number]) => [name!.replaceAll("`", ""), Number(number)]),
  );
}

Deno.test("The page of pile_gateway has the numbers of all types and tags, and no other", () => {
  assertEquals(numbers("TypeID"), { ...TYPE });
  assertEquals(numbers("Tag"), { ...TAG });
  const tags = new Set(Object.keys(TAG));
  for (const [name, , , elements] of table("TypeID")) {
    const unknown = elements!.split(", ").map((one) => one.replace("?", ""))
      .filter((one) => !tags.has(one));
    assertEquals(unknown, [], name);
  }
});

Deno.test("The page of pile_gateway explains every counter, and no other", () => {
  assertEquals(names("Counter").toSorted(), [...COUNTERS].toSorted());
});

Deno.test("The page of pile_gateway explains every point", () => {
  const texts = ["version", "trade"];
  const kinds = INPUTS.map(([name, kind]) => `${name} ${kind}`);
  const outputs = OUTPUTS.map((name) => `${name} ${name === "set_limit" ? "ao" : "do"}`);
  const shown = table("Point").map(([name, kind]) => `${name!.replaceAll("`", "")} ${kind}`);
  assertEquals(shown, [...kinds, ...texts.map((name) => `${name} text`), ...outputs]);
});

Deno.test("The examples of pile_gateway can be used as they stand", () => {
  const text = example("yaml");
  const { config, problems } = readConfig({
    ...{ file: "busbar.yaml", text, modules: MODULES, env: () => undefined, flags: {} },
  });
  assertEquals(problems, []);
  assert(config);
  const { rows, faults } = readPiles(example("csv"));
  assertEquals([[...rows.keys()], faults], [["pile-0001", "pile-0002"], []]);
  const policy = readUnsignedPolicy(example("json"));
  assert("policy" in policy, JSON.stringify(policy));
});
