import fc from "fast-check";
import { openSqlite } from "../../../src/platform/sqlite.ts";
import { readCsv, writeCsv } from "../../../src/points/csv.ts";
import { PointTable } from "../../../src/points/table.ts";
import {
  columnFaults,
  definitionOf,
  type RowFault,
  type WrittenRow,
} from "../../../src/points/table_rows.ts";
import { assertEquals } from "../../assert.ts";

function rowsOf(...rows: WrittenRow[]) {
  const faults: RowFault[] = [];
  const made = rows.map((row, index) => ({
    row: index + 2,
    definition: definitionOf({ "tag_station": "gz_01", coa: 1, ...row }, index + 2, faults)!,
  }));
  assertEquals(faults, []);
  return made;
}

function open(): PointTable {
  return new PointTable(openSqlite(":memory:"));
}

Deno.test("An import adds, changes, leaves as it is, and removes only when it shall replace", () => {
  const table = open();
  const counts = (rows: WrittenRow[], replace = false) => {
    const { added, changed, removed, faults } = table.import(rowsOf(...rows), replace);
    return [added, changed, removed, faults.length];
  };
  assertEquals(counts([{ ioa: 1 }, { ioa: 2, high: 5 }]), [2, 0, 0, 0]);
  assertEquals(counts([{ ioa: 1 }, { ioa: 2, high: 6 }, { ioa: 3 }]), [1, 1, 0, 0]);
  assertEquals(counts([{ ioa: 3 }, { ioa: 4 }], true), [1, 0, 2, 0]);
  assertEquals(table.load().definitions.map(({ address }) => address), [3, 4]);
});

Deno.test("What is exported can be imported without any change", () => {
  const table = open();
  table.import(rowsOf({ ioa: 1, scale: 0.1, low: -3 }, { ioa: 2, "ext_1": 'a "b", c' }), false);
  const { definitions } = table.load();
  const again = table.import(definitions.map((definition, row) => ({ row, definition })), true);
  assertEquals(again, { added: 0, changed: 0, removed: 0, faults: [] });
});

Deno.test("Names and addresses that clash refuse all of the file", () => {
  const table = open();
  table.import(rowsOf({ ioa: 1, point: "a.b" }), false);
  const faults = (rows: WrittenRow[], replace = false) =>
    table.import(rowsOf(...rows), replace).faults.map(({ row, column, message }) =>
      `${row} ${column} ${message}`
    );
  assertEquals(faults([{ ioa: 5 }, { ioa: 6, point: "a.b" }]), [
    "3 point a.b is the name of another one too (in the table): give one of them a name of its own",
  ]);
  assertEquals(faults([{ ioa: 5, coa: 1 }, { ioa: 5, coa: 2 }]), [
    "3 point gz_01.yc.5 is the name of another one too (row 2): give one of them a name of its own",
  ]);
  assertEquals(faults([{ ioa: 5 }, { ioa: 5, point: "x.y" }]), ["3 ioa has the address of row 2"]);
  assertEquals(table.load().definitions.length, 1);
  assertEquals(faults([{ ioa: 6, point: "a.b" }], true), [], "the old one goes");
});

Deno.test("Rows that were edited in SQL are taken, or told and left out", () => {
  const table = open();
  table.database.exec(`INSERT INTO device_point_mapping (tag_station, coa, ioa, td_table_type)
    VALUES ('s1', 1, 1, 'yx'), ('s1', 1, 2, 'yc'), ('s 2', 1, 1, ''), ('s3', 1, 1, ''),
      ('s4', 1, 1, '')`);
  table.database.exec("UPDATE device_point_mapping SET is_deleted = 1 WHERE tag_station = 's3'");
  table.putStation({ station: "s4", name: "", description: "", enabled: false });
  const { definitions, faults } = table.load();
  assertEquals(definitions.map(({ point }) => point as string), ["s1.yx.1", "s1.yc.2"]);
  assertEquals(faults.map(({ row, column }) => [row, column]), [[3, "tag_station"], [3, "point"]]);
  assertEquals(table.stations().map(({ station, enabled }) => [station, enabled]), [["s4", false]]);
});

Deno.test("A table of a former system is taken as it is, and gets the columns it lacks", () => {
  const database = openSqlite(":memory:");
  database.exec(`CREATE TABLE device_point_mapping (id INTEGER PRIMARY KEY, tag_station TEXT,
    coa INT, ioa INT, device_id TEXT, device_name TEXT, td_table_type TEXT, enable_push INT,
    enable_raw_insert INT, description TEXT, ext_1 TEXT, ext_2 TEXT, ext_3 TEXT, ext_4 TEXT,
    ext_5 TEXT, UNIQUE (tag_station, coa, ioa))`);
  database.exec(`INSERT INTO device_point_mapping VALUES
    (7, '330KV', 1, 16385, 'd1', 'T1', 'yc', 1, 0, 'x', 'alarm', '', '', '', '')`);
  const { definitions, faults } = new PointTable(database).load();
  assertEquals(faults, []);
  assertEquals(definitions.map(({ point, ext, scale, low }) => [point, ext[0], scale, low]), [
    ["330KV.yc.16385", "alarm", 1, undefined],
  ]);
  const { added } = new PointTable(database).import(rowsOf({ ioa: 3 }), false);
  assertEquals(added, 1);
});

Deno.test("Columns that are not known are told with the nearest; those of former tables are not", () => {
  assertEquals(columnFaults(["ioa", "id", "create_time", "dead_bnad"], 1), [
    { row: 1, column: "dead_bnad", message: 'is not known; did you mean "dead_band"?' },
  ]);
});

Deno.test("CSV comes back as it was written, whatever the fields hold", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('"', ",", "\r\n", "ü", " a ")), {
          minLength: 2,
          maxLength: 5,
        }),
        { maxLength: 10 },
      ),
      (records) => {
        const { records: back, fault } = readCsv(writeCsv(records));
        assertEquals(fault, undefined);
        assertEquals(back.map(({ fields }) => fields), records);
      },
    ),
  );
});

Deno.test("CSV is read as people and their tables write it", () => {
  const read = (text: string) =>
    readCsv(text).records.map(({ line, fields }) => `${line}:${fields.join("|")}`);
  assertEquals(read('\ufeffa, b\r\n\r\n1 ,"x\ny"\r\n2,3'), ["1:a|b", "3:1|x\ny", "5:2|3"]);
  assertEquals(readCsv('a\n"b').fault, { line: 2, message: "a quoted field has no end" });
  assertEquals(readCsv('"a"b').fault, {
    line: 1,
    message: "something stands behind a quoted field",
  });
  assertEquals(read(""), []);
});
