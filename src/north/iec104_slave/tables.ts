/** The forwarding tables of a listener: its own, and those of groups that have one. */
import type { Context } from "../../kernel/module.ts";
import type { Config } from "./config.ts";
import { forwardAll, type ForwardingTable, readForwarding } from "./forwarding.ts";

/** Faults of a table that are logged at once. */
const FAULTS_LOGGED = 20;

interface Made {
  readonly version: number;
  readonly table: ForwardingTable;
}

/** See the module. Tables are made anew when the point table has changed. */
export class Tables {
  readonly #made = new Map<string | undefined, Made>();

  private constructor(
    readonly ctx: Context,
    readonly config: Config,
    /** What the files say, by their paths. */
    readonly texts: ReadonlyMap<string, string>,
  ) {}

  /** Reads the files. @throws OsError */
  static async open(ctx: Context, config: Config): Promise<Tables> {
    const texts = new Map<string, string>();
    for (const { forward } of [config, ...config.groups ?? []]) {
      if (forward !== undefined) texts.set(forward, await ctx.files.read(forward));
    }
    const tables = new Tables(ctx, config, texts);
    // What is wrong is told at the start, not when somebody connects.
    for (const path of new Set([config, ...config.groups ?? []].map((one) => tables.#path(one)))) {
      tables.#table(path);
    }
    return tables;
  }

  /** That of a group; one that has none has the listener's. */
  of(group: string): ForwardingTable {
    return this.#table(this.#path(this.config.groups?.find(({ name }) => name === group) ?? {}));
  }

  #path({ forward }: { readonly forward?: string | undefined }): string | undefined {
    return forward ?? this.config.forward;
  }

  #table(path: string | undefined): ForwardingTable {
    const { points, log } = this.ctx;
    const known = this.#made.get(path);
    if (known?.version === points.tableVersion) return known.table;
    const table = path === undefined
      ? forwardAll(points.definitions(), this.config.stations)
      : this.#read(path);
    this.#made.set(path, { version: points.tableVersion, table });
    log.info("iec104.forwarding", "Forwarding table was made", {
      points: table.entries.length,
      ...(path === undefined ? {} : { file: path }),
    });
    return table;
  }

  #read(path: string): ForwardingTable {
    const { points, log } = this.ctx;
    const { table, faults } = readForwarding(
      this.texts.get(path)!,
      (point) => points.definition(point),
    );
    for (const fault of faults.slice(0, FAULTS_LOGGED)) {
      log.warn("iec104.forward", `Forwarding table: ${fault}`, { file: path });
    }
    return table;
  }
}
