import { type Instant, millis } from "../../../../src/base/time.ts";
import {
  changed,
  type Data,
  decodeGoose,
  formatValues,
  parseValues,
  Publisher,
  type PublisherOptions,
} from "../../../../src/protocol/goose/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const OPTIONS: PublisherOptions = {
  appId: 1,
  pdu: { gocbRef: "a", datSet: "b", confRev: 1, simulation: false, ndsCom: false },
  values: [{ kind: "bool", value: false }],
  form: "minimal",
  pace: { kind: "curve", curve: { first: millis(4), last: millis(20) } },
  changeEvery: undefined,
  timeAllowedToLive: undefined,
};

/** Runs it on its own deadlines: when, stNum, sqNum, time allowed to live, values. */
function run(options: Partial<PublisherOptions>, count: number): unknown[][] {
  const publisher = new Publisher({ ...OPTIONS, ...options }, 0 as Instant, 0);
  const told: unknown[][] = [];
  for (let sent = 0; sent < count; sent += 1) {
    const now = publisher.deadline;
    const message = decodeGoose(publisher.next(now, now)!);
    assert(message.kind === "goose");
    const { stNum, sqNum, timeAllowedToLive, allData } = message.pdu;
    told.push([now, stNum, sqNum, timeAllowedToLive, formatValues(allData)]);
  }
  return told;
}

Deno.test("Publisher follows the curve, and says for how long each message lives", () => {
  assertEquals(run({}, 6), [
    [0, 1, 1, 20, "bool:false"],
    [4, 1, 2, 20, "bool:false"],
    [12, 1, 3, 32, "bool:false"],
    [28, 1, 4, 40, "bool:false"],
    [48, 1, 5, 40, "bool:false"],
    [68, 1, 6, 40, "bool:false"],
  ]);
});

Deno.test("Publisher begins the curve anew when the values change", () => {
  const changeEvery = { kind: "span", span: millis(30) } as const;
  assertEquals(run({ changeEvery }, 8).map((row) => row.slice(0, 3)), [
    [0, 1, 1],
    [4, 1, 2],
    [12, 1, 3],
    [28, 1, 4],
    [30, 2, 0],
    [34, 2, 1],
    [42, 2, 2],
    [58, 2, 3],
  ]);
});

Deno.test("Publisher keeps its rate, and changes after so many messages", () => {
  const told = run({
    pace: { kind: "rate", perSecond: 100 },
    changeEvery: { kind: "messages", count: 2 },
    timeAllowedToLive: millis(77),
  }, 5);
  assertEquals(told, [
    [0, 1, 1, 77, "bool:false"],
    [10, 1, 2, 77, "bool:false"],
    [20, 2, 0, 77, "bool:true"],
    [30, 2, 1, 77, "bool:true"],
    [40, 3, 0, 77, "bool:false"],
  ]);
});

Deno.test("Publisher at a rate sends a change at once, and does not move what follows", () => {
  const pace = { kind: "rate", perSecond: 100 } as const;
  const told = run({ pace, changeEvery: { kind: "span", span: millis(15) } }, 5);
  assertEquals(told.map((row) => row.slice(0, 3)), [
    [0, 1, 1],
    [10, 1, 2],
    [15, 2, 0],
    [20, 2, 1],
    [30, 3, 0],
  ]);
});

Deno.test("Publisher that was held up keeps its average, or begins anew when told to", () => {
  const pace = { kind: "rate", perSecond: 100 } as const;
  const publisher = new Publisher({ ...OPTIONS, pace }, 0 as Instant, 0);
  publisher.next(55 as Instant, 55);
  assertEquals(publisher.deadline, 10 as Instant);
  publisher.skip(5000 as Instant);
  assertEquals(publisher.deadline, 5000 as Instant);
});

Deno.test("Change makes another value of the same kind", () => {
  const before = "bool:true,int:5,uint:2147483647,float:1.5,dbpos:on,quality:good,[int:1]";
  const values = parseValues(before, 0) as Data[];
  assertEquals(
    formatValues(values.map(changed)),
    "bool:false,int:6,uint:0,float:2.5,bits:01,bits:0000000000000,[int:2]",
  );
});
