/** Rules about the code itself that no compiler checks. Every message says how to obey it. */
import { assertEquals } from "./assert.ts";

/** Who may import whom. Layers stand in the order in which data and calls go down. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: ["base"],
  wire: ["base", "wire"],
  crypto: ["base", "wire", "crypto"],
  protocol: ["base", "wire", "crypto", "protocol"],
  platform: ["base", "wire", "platform"],
  points: ["base", "points"],
  kernel: ["base", "wire", "crypto", "platform", "points", "kernel"],
  south: ["base", "wire", "crypto", "protocol", "platform", "points", "kernel", "south"],
  north: ["base", "wire", "crypto", "protocol", "platform", "points", "kernel", "north"],
  relay: ["base", "wire", "crypto", "protocol", "platform", "kernel", "relay"],
  service: ["base", "wire", "crypto", "protocol", "platform", "points", "kernel", "service"],
};
const MODULE_LAYERS = new Set(["south", "north", "relay", "service"]);
const LINE_MAX = 100;
const FUNCTION_MAX = 70;
const FILE_MAX = 600;

interface Source {
  /** `src/base/time.ts`. */
  readonly path: string;
  readonly text: string;
  /** Without comments, and with the contents of strings removed; line numbers kept. */
  readonly code: string;
}

const SRC = sources("src");
const ALL = [...SRC, ...sources("build"), ...sources("tests"), read("main.ts")];

Deno.test("tidy: imports go down only, and no module imports another", () => {
  const bad: string[] = [];
  for (const { path, text } of SRC) {
    const [layer, folder] = path.split("/").slice(1) as [string, string];
    if (layer === "app") continue;
    for (const specifier of specifiers(text)) {
      if (!specifier.startsWith(".")) continue;
      const [to, toFolder] = resolve(path, specifier).split("/").slice(1) as [string, string];
      if (!MAY_IMPORT[layer]?.includes(to)) bad.push(`${path}: ${layer} may not import ${to}`);
      if (MODULE_LAYERS.has(layer) && to === layer && toFolder !== folder) {
        bad.push(`${path}: a module may not import the module ${toFolder}; go by the points`);
      }
      if (to === "platform" && toFolder === "linux" && !path.startsWith("src/platform/linux/")) {
        bad.push(`${path}: only app may import platform/linux; ask for a port`);
      }
    }
  }
  assertEquals(bad, []);
});

Deno.test("tidy: only platform and app touch the system, and time comes from the clock", () => {
  const tokens = [
    /\bDeno\./,
    /\bDate\.now\b/,
    /\bnew Date\(\)/,
    /\bperformance\./,
    /\bset(Timeout|Interval|Immediate)\b/,
    /\bMath\.random\b/,
    /\bconsole\./,
    /\bfetch\(/,
  ];
  const bad: string[] = [];
  for (const { path, code, text } of SRC) {
    if (/^src\/(platform|app)\//.test(path)) continue;
    // Starting a thread is the worker host's whole purpose.
    for (const token of tokens) {
      if (token.test(code)) bad.push(`${path}: ${token.source} belongs in src/platform`);
    }
    for (const specifier of specifiers(text)) {
      if (specifier.startsWith("node:") && !["node:crypto"].includes(specifier)) {
        bad.push(`${path}: ${specifier} belongs in src/platform`);
      }
    }
  }
  assertEquals(bad, []);
});

Deno.test("tidy: only libc.ts and libcrypto.ts open a library", () => {
  const bad = SRC.filter(({ code }) => /\bDeno\.dlopen\b/.test(code)).map(({ path }) => path);
  assertEquals(bad, [
    "src/platform/linux/libc.ts",
    "src/platform/linux/libcrypto.ts",
    "src/platform/linux/libcrypto_evp.ts",
  ]);
});

Deno.test("tidy: each npm package is imported in one file and wrapped there", () => {
  const users = new Map<string, string[]>();
  for (const { path, text } of SRC) {
    for (const specifier of specifiers(text)) {
      if (/^(\.|node:)/.test(specifier)) continue;
      const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
      users.set(name, [...new Set([...(users.get(name) ?? []), path])]);
    }
  }
  assertEquals([...users].filter(([, files]) => files.length > 1), []);
});

Deno.test("tidy: lines, functions and files stay small enough to hold in the head", () => {
  const bad: string[] = [];
  for (const { path, text, code } of ALL) {
    const lines = text.split("\n");
    if (lines.length > FILE_MAX) bad.push(`${path}: ${lines.length} lines; split it by purpose`);
    for (const [index, line] of lines.entries()) {
      // A regular expression or an address has no space to break at, and the name of a test is one
      // sentence.
      if (line.length <= LINE_MAX || /^\s*\/\S|\S{80}|^\s*Deno\.test\(["`]/.test(line)) continue;
      bad.push(`${path}:${index + 1}: long line`);
    }
    if (!path.startsWith("src/")) continue;
    for (const { line, length } of functions(code)) {
      if (length > FUNCTION_MAX) bad.push(`${path}:${line}: function of ${length} lines`);
    }
  }
  assertEquals(bad, []);
});

Deno.test("tidy: every exported declaration of src has a doc comment", () => {
  const bad: string[] = [];
  const declaration =
    /^export (default )?(abstract )?(async )?(function\*?|class|interface|type|const|let|enum) (?!\{)/;
  for (const { path, text } of SRC) {
    const lines = text.split("\n");
    for (const [index, line] of lines.entries()) {
      if (!declaration.test(line) || documented(lines, index)) continue;
      bad.push(`${path}:${index + 1}: say what it does: ${line.slice(0, 60)}`);
    }
  }
  assertEquals(bad, []);
});

Deno.test("tidy: no catch is empty, no promise callback swallows an error unsaid", () => {
  const bad: string[] = [];
  for (const { path, text } of SRC) {
    for (const match of text.matchAll(/catch\s*(\([^)]*\))?\s*\{\s*\}/g)) {
      bad.push(`${path}:${lineOf(text, match.index)}: handle, count or rethrow, and say why`);
    }
    for (
      const match of text.matchAll(/\.catch\(\s*\(\w*\)\s*=>\s*(\{\s*\}|undefined|null)\s*\)/g)
    ) {
      bad.push(`${path}:${lineOf(text, match.index)}: handle, count or rethrow, and say why`);
    }
  }
  assertEquals(bad, []);
});

Deno.test("tidy: every file of src is reached from an entry point", () => {
  const byPath = new Map(SRC.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const visit = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    const source = byPath.get(path);
    if (!source) return;
    for (const specifier of specifiers(source.text)) {
      if (specifier.startsWith(".")) visit(resolve(path, specifier));
    }
  };
  visit("src/app/main.ts");
  visit("src/app/worker_main.ts");
  assertEquals(SRC.map(({ path }) => path).filter((path) => !reached.has(path)), []);
});

Deno.test("tidy: the worker's code needs neither the schemas nor the YAML", () => {
  const byPath = new Map(SRC.map((source) => [source.path, source]));
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const specifier of specifiers(byPath.get(path)?.text ?? "", "values")) {
      if (specifier.startsWith(".")) visit(resolve(path, specifier));
      else packages.add(specifier);
    }
  };
  visit("src/app/worker_main.ts");
  assertEquals([...packages].filter((name) => !name.startsWith("node:")), []);
});

Deno.test("tidy: nothing unfinished, and no word of the workshop", () => {
  const words = /\b(TODO|FIXME|XXX|HACK|not yet implemented|lorem ipsum)\b/i;
  const bad: string[] = [];
  for (const { path, text } of ALL) {
    if (path === "tests/tidy_test.ts") continue;
    for (const [index, line] of text.split("\n").entries()) {
      if (words.test(line)) bad.push(`${path}:${index + 1}: ${line.trim()}`);
    }
  }
  assertEquals(bad, []);
});

Deno.test("tidy: tests use assertions of one place", () => {
  const bad = ALL.filter(({ path, text }) =>
    path.endsWith("_test.ts") && /from "(node:assert|jsr:|@std\/)/.test(text)
  );
  assertEquals(bad.map(({ path }) => path), []);
});

function sources(folder: string): Source[] {
  const found: Source[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...sources(path));
    else if (path.endsWith(".ts")) found.push(read(path));
  }
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

function read(path: string): Source {
  const text = Deno.readTextFileSync(path);
  return { path, text, code: stripped(text) };
}

/** Comments, strings, templates and regular expressions out, line breaks kept. */
function stripped(text: string): string {
  const plain =
    /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|(?<=[(,=:[!&|?{};\n]\s*)\/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
  let out = "";
  // What each open `${` goes back to: the template around it.
  const depths: number[] = [];
  for (let at = 0; at < text.length;) {
    plain.lastIndex = at;
    const part = plain.exec(text)?.[0];
    if (part !== undefined) {
      out += part.replace(/[^\n]/g, "");
      at += part.length;
      continue;
    }
    const sign = text[at]!;
    if (sign === "{" && depths.length > 0) depths[depths.length - 1]! += 1;
    const closes = sign === "}" && depths.length > 0 && depths.at(-1)! === 0;
    if (sign === "}" && depths.length > 0 && !closes) depths[depths.length - 1]! -= 1;
    at += 1;
    if (closes) depths.pop();
    if (sign !== "`" && !closes) {
      out += sign;
      continue;
    }
    for (; at < text.length && text[at] !== "`"; at += 1) {
      if (text[at] === "\n") out += "\n";
      if (text[at] === "\\") at += 1;
      else if (text.startsWith("${", at)) {
        depths.push(0);
        break;
      }
    }
    at += text[at] === "$" ? 2 : 1;
  }
  return out;
}

function specifiers(text: string, which: "all" | "values" = "all"): string[] {
  const found: string[] = [];
  for (const match of text.matchAll(/^(?:import|export)\s([^;]*?)from\s+"([^"]+)"/gm)) {
    if (which === "values" && match[1]!.startsWith("type ")) continue;
    found.push(match[2]!);
  }
  for (const match of text.matchAll(/^import\s+"([^"]+)"/gm)) found.push(match[1]!);
  for (const match of text.matchAll(/\bimport\("([^"]+)"\)/g)) found.push(match[1]!);
  for (const match of text.matchAll(/new URL\(\s*"(\.[^"]+\.ts)"/g)) found.push(match[1]!);
  return found;
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** Functions and methods, found by the indentation that `deno fmt` gives them. */
function functions(code: string): { line: number; length: number }[] {
  const lines = code.split("\n");
  const found: { line: number; length: number }[] = [];
  const opens =
    /^(\s*)(?:export |default |static |async |override |get |set |#|\*|readonly )*(?:function\b.*|(?:const|let) [\w#]+ = .*=>|[\w#]+(?:<[^>]*>)?\(.*\).*|constructor\(.*)\s*\{$/;
  for (const [index, line] of lines.entries()) {
    const match = opens.exec(line);
    if (!match || /^\s*(if|for|while|switch|catch|else|return|do)\b/.test(line)) continue;
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${match[1]}}`));
    if (end > 0) found.push({ line: index + 1, length: end - index + 1 });
  }
  return found;
}

function documented(lines: readonly string[], index: number): boolean {
  let at = index - 1;
  while (at >= 0 && /^\s*(\/\/ deno-lint|@)/.test(lines[at]!)) at -= 1;
  if (/\*\/\s*$/.test(lines[at] ?? "")) return true;
  // `type X = Infer<typeof SCHEMA>` right below the schema it names needs no words of its own, nor
  // does a further overload.
  return /^export type \w+ = (Infer|\(typeof )/.test(lines[index]!);
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
