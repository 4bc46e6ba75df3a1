/** The situations in `tests/cases/kernel`: a file, and the problems or the services that it gives. */
import { MODULES } from "../../../src/app/modules.ts";
import { problemLines } from "../../../src/app/problems.ts";
import { readConfig } from "../../../src/kernel/config.ts";
import { assert, assertEquals } from "../../assert.ts";

const CASES = new URL("../../cases/kernel/", import.meta.url);
const ENV: Readonly<Record<string, string>> = {
  TOKEN: "0123456789abcdef-of-the-test",
  SHORT: "tooshort",
  VIA: "eth7",
  DSCP: "12",
  LOOP: "true",
};

function outcome(text: string): { readonly name: string; readonly text: string } {
  const source = {
    file: "busbar.yaml",
    text,
    modules: MODULES,
    env: (n: string) => ENV[n],
    flags: {},
  };
  const { config, problems } = readConfig(source);
  const lines = problemLines(problems, "busbar.yaml").map((line) => `${line}\n`).join("");
  if (!config) return { name: "expected.err", text: lines };
  const services = Object.fromEntries(config.services.map(({ id, config }) => [id, config]));
  const { secrets: _, digest: _digest, services: _services, ...rest } = config;
  const shown = JSON.stringify({ ...rest, services, warnings: problems }, null, 2);
  return { name: "expected.json", text: `${shown}\n` };
}

for (const { name } of [...Deno.readDirSync(CASES)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  Deno.test(`Configuration case: ${name.replaceAll("_", " ")}`, () => {
    const folder = new URL(`${name}/`, CASES);
    const found = outcome(Deno.readTextFileSync(new URL("config.yaml", folder)));
    const files = [...Deno.readDirSync(folder)].map((file) => file.name);
    if (Deno.env.get("BUSBAR_WRITE_CASES") === "1") {
      for (const file of files) if (file !== "config.yaml") Deno.removeSync(new URL(file, folder));
      Deno.writeTextFileSync(new URL(found.name, folder), found.text);
      return;
    }
    assert(files.includes(found.name), `${found.name}\n${found.text}`);
    assertEquals(found.text, Deno.readTextFileSync(new URL(found.name, folder)));
  });
}
