// deno-lint-ignore-file no-console -- talking to the terminal is what it is for
/**
 * `deno task reference [--check]`: writes what is generated from the schemas: `config/sample.yaml`,
 * `config/schema.json`, and the tables between `<!-- config -->` and `<!-- /config -->` in the
 * READMEs of the modules and of the points. With `--check` it writes nothing and ends with 1 when
 * something is stale.
 * @module
 */
import { MODULES } from "../src/app/modules.ts";
import { POINTS } from "../src/kernel/settings.ts";
import { configSchema, configTable, sampleYaml } from "../src/kernel/reference.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const TABLE = /<!-- config -->[\s\S]*?<!-- \/config -->/;

/** One generated file: its path from the root, and what it has to hold. */
export interface Generated {
  readonly path: string;
  readonly text: string;
}

/** Everything that is generated. */
export function generated(): Generated[] {
  const files = [
    { path: "config/sample.yaml", text: sampleYaml(MODULES) },
    { path: "config/schema.json", text: `${JSON.stringify(configSchema(MODULES), null, 2)}\n` },
  ];
  const pages = [
    { path: "src/points/README.md", table: configTable(POINTS) },
    ...MODULES.map(({ plane, name, config }) => ({
      path: `src/${plane}/${name}/README.md`,
      table: configTable(config),
    })),
  ];
  for (const { path, table } of pages) {
    const text = Deno.readTextFileSync(ROOT + path);
    if (!TABLE.test(text)) throw new Error(`${path} has no <!-- config --> … <!-- /config -->`);
    const block = `<!-- config -->\n\n${table}\n\n<!-- /config -->`;
    files.push({ path, text: text.replace(TABLE, () => block) });
  }
  return files;
}

/** The generated files that are not what they have to be. */
export function stale(): Generated[] {
  return generated().filter(({ path, text }) => {
    try {
      return Deno.readTextFileSync(ROOT + path) !== text;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return true;
      throw error;
    }
  });
}

if (import.meta.main) {
  const files = stale();
  for (const { path, text } of files) {
    if (Deno.args.includes("--check")) console.error(`${path} is stale: deno task reference`);
    else {
      Deno.writeTextFileSync(ROOT + path, text);
      console.log(`${path} was written`);
    }
  }
  if (files.length > 0 && Deno.args.includes("--check")) Deno.exit(1);
}
