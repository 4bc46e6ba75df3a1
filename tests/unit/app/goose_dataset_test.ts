import fc from "fast-check";
import { parseDataset } from "../../../src/app/goose_dataset.ts";
import { type Data, formatValues } from "../../../src/protocol/goose/mod.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test("A data set in JSON gives the values that it says", () => {
  const text = '[true, -5, 1.5, "a \\"b\\"", {"uint": 5}, {"dbpos": "on"}, {"quality": "good"}, ' +
    '{"structure": [{"float": 2}, {"array": [false]}]}, {"octets": "0aff"}, {"double": 3}]';
  const values = parseDataset(text, 0);
  assert(!("why" in values), JSON.stringify(values));
  assertEquals(
    formatValues(values),
    'bool:true,int:-5,float:1.5,string:"a \\"b\\"",uint:5,bits:10,bits:0000000000000,' +
      "{float:2,[bool:false]},octets:0aff,double:3",
  );
  assertEquals(values.map(({ kind }) => kind)[7], "structure");
});

Deno.test("A time in a data set may be now", () => {
  const values = parseDataset('[{"utc_time": "now"}]', 5000) as readonly Data[];
  const [value] = values;
  assert(value?.kind === "utc_time" && value.time.seconds === 5);
});

const BAD: readonly [string, string, RegExp][] = [
  ["{", "", /JSON|position|Expected/],
  ["5", "", /must be a list/],
  ["[true, null]", "[1]", /object of one key/],
  ['[{"uint": 1, "int": 2}]', "[0]", /object of one key/],
  ['[{"volts": 1}]', "[0].volts", /volts|kind/],
  ['[{"uint": -1}]', "[0].uint", /./],
  ['[{"structure": 5}]', "[0].structure", /must be a list/],
  ['[{"structure": [1, {"bits": "2"}]}]', "[0].structure[1].bits", /./],
];
for (const [text, path, why] of BAD) {
  Deno.test(`A data set that cannot be read tells where: ${text}`, () => {
    const error = parseDataset(text, 0);
    assert("why" in error);
    assertEquals(error.path, path);
    assert(why.test(error.why), error.why);
  });
}

Deno.test("Any JSON gives values or a place", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const values = parseDataset(text, 0);
      assert("why" in values ? values.why !== "" : Array.isArray(values));
    }),
    { numRuns: 500 },
  );
});
