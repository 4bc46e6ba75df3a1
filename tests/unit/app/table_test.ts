import { cutTo, padTo, table, widthOf, wrap } from "../../../src/app/table.ts";
import { assertEquals } from "../../assert.ts";

Deno.test("Width counts two columns for wide characters and none for marks", () => {
  const widths: [string, number][] = [
    ["", 0],
    ["goose0", 6],
    ["多播组", 6],
    ["✅ 主", 5],
    ["ｅ", 2],
    ["e\u0301", 1],
    ["한", 2],
    ["é–…", 3],
    ["a\u200db", 2],
    ["\u001b", 0],
  ];
  for (const [text, width] of widths) assertEquals(widthOf(text), width, text);
});

Deno.test("Text is padded and cut by columns, not by characters", () => {
  assertEquals(padTo("多播", 6), "多播  ");
  assertEquals(padTo("7", 3, "right"), "  7");
  assertEquals(cutTo("多播组状态", 7), "多播组…");
  assertEquals(cutTo("多播组状态", 6), "多播…");
  assertEquals(cutTo("abc", 3), "abc");
  assertEquals(cutTo("abc", 0), "");
});

Deno.test("Lines are wrapped at blanks; a long word stands alone", () => {
  assertEquals(wrap("one two three", 7), ["one two", "three"]);
  assertEquals(wrap("a incomprehensible b", 5), ["a", "incomprehensible", "b"]);
  assertEquals(wrap("  ", 5), []);
});

Deno.test("Table aligns columns, numbers at the right, without trailing blanks", () => {
  const head = [{ title: "组" }, { title: "IN", align: "right" as const }, { title: "WHY" }];
  assertEquals(table(head, [["主多播", "7", ""], ["b", "1200", "away"]]), [
    "组        IN  WHY",
    "主多播     7",
    "b       1200  away",
  ]);
});

Deno.test("Table cuts its last column to the terminal and removes control characters", () => {
  const lines = table(
    [{ title: "A" }, { title: "WHY" }],
    [["x", "a reason\u001b[2J too long"]],
    14,
  );
  assertEquals(lines, ["A  WHY", "x  a reason [2J…".slice(0, 13) + "…"]);
});
