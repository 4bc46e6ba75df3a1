/** The namespaces that other tests stand on. */
import { createNamespace, createPair, sweepNamespaces } from "../netns.ts";
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";

const NEEDS = needs("root", "netns", "ip");

function exists(name: string): boolean {
  const { stdout } = new Deno.Command("ip", { args: ["netns", "list"] }).outputSync();
  return new TextDecoder().decode(stdout).includes(name);
}

/** A program that makes a namespace with a process in it, says so, and does `then`. */
function maker(then: string): Deno.Command {
  const netns = new URL("../netns.ts", import.meta.url).href;
  const program = `import { createNamespace } from "${netns}";
    const namespace = createNamespace();
    const child = namespace.spawn(["sleep", "600"]);
    console.log(namespace.name, child.pid);
    ${then}`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    stdout: "piped",
    stderr: "null",
  });
}

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  let text = "";
  for await (const octets of child.stdout) {
    text += new TextDecoder().decode(octets);
    if (text.includes("\n")) break;
  }
  return text.trim();
}

Deno.test({
  name: "createPair joins two namespaces that have no IPv6 and know nothing else",
  ...NEEDS,
  fn() {
    using pair = createPair();
    assertEquals(pair.a.interfaces().sort(), ["eth0", "lo"]);
    assertEquals(pair.b.interfaces().sort(), ["eth0", "lo"]);
    const shown = pair.a.exec(["ip", "-6", "addr", "show"]);
    assertEquals(shown.out, "");
    const route = pair.a.exec(["ip", "route", "get", "10.79.0.2"]);
    assert(route.out.includes("dev eth0 src 10.79.0.1"));
  },
});

Deno.test({
  name: "Namespace goes with what runs in it",
  ...NEEDS,
  async fn() {
    const namespace = createNamespace();
    const child = namespace.spawn(["sleep", "600"]);
    assertEquals(namespace.exec(["ip", "link", "show", "lo"]).code, 0);
    namespace[Symbol.dispose]();
    assertEquals((await child.status).signal, "SIGKILL");
    assert(!exists(namespace.name));
    namespace[Symbol.dispose](); // A second time does no harm.
  },
});

for (
  const [name, then] of [
    ["ends", "Deno.exit(0);"],
    ["throws", "throw new Error('on purpose');"],
    [
      "is interrupted",
      "Deno.kill(Deno.pid, 'SIGINT'); await new Promise((r) => setTimeout(r, 9e4));",
    ],
  ] as const
) {
  Deno.test({
    name: `Namespace goes when its program ${name}`,
    ...NEEDS,
    async fn() {
      const output = await maker(then).output();
      const [made = "?"] = new TextDecoder().decode(output.stdout).trim().split(" ");
      assert(made.startsWith("busbar-"));
      assert(!exists(made));
    },
  });
}

Deno.test({
  name: "sweepNamespaces removes what a killed program left, and nothing of the living",
  ...NEEDS,
  async fn() {
    using mine = createNamespace();
    const child = maker("await new Promise((r) => setTimeout(r, 9e4));").spawn();
    const [made = "?"] = (await firstLine(child)).split(" ");
    assert(!sweepNamespaces().includes(made), "its maker still lives");
    assert(exists(made));
    child.kill("SIGKILL");
    await child.status;
    assert(sweepNamespaces().includes(made));
    assert(!exists(made));
    assert(exists(mine.name));
  },
});
