import fc from "fast-check";
import {
  checkExtension,
  type ExtensionMap,
  extensionMap,
  OWN_EXTENSIONS,
  type OwnExtension,
  ownExtensions,
  PILE_STATES,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const POINT = `04${"ab".repeat(64)}`;
const GOOD = {
  session: { "public_key": POINT, signer: "sm2", cipher: "sm4-gcm" },
  battery: { "bike_id": "bike-1", "time_ms": 1, data: "AQID", digest: "cd".repeat(32) },
  status: { state: "charging", "power_w": 3500, "energy_wh": 12 },
  fault: { code: 7, hazard: true, text: "over-temperature" },
} as const;
const NAMES = Object.keys(OWN_EXTENSIONS) as OwnExtension[];

function map(own: Readonly<Record<string, unknown>>): ExtensionMap {
  const extensions = extensionMap(new Map(Object.entries(own)));
  assert(!("fault" in extensions), "a fault");
  return extensions;
}

function fault(own: Readonly<Record<string, unknown>>): string {
  const extensions = extensionMap(new Map(Object.entries(own)));
  assert("fault" in extensions, "no fault");
  return extensions.fault;
}

Deno.test("Extensions that busbar knows are taken as they should be", () => {
  for (const name of NAMES) assertEquals(checkExtension(name, GOOD[name]), undefined, name);
  assertEquals(
    checkExtension("session", { "public_key": `0x${POINT}`, signer: "secp256k1" }),
    undefined,
  );
  for (const state of PILE_STATES) {
    assertEquals(checkExtension("status", { ...GOOD.status, state }), undefined);
  }
  assertEquals(checkExtension("fault", { code: 0, hazard: false }), undefined);
  assertEquals(checkExtension("battery", { ...GOOD.battery, data: "" }), undefined);
});

Deno.test("Each field of theirs that is missing, odd or new is named", () => {
  for (const name of NAMES) {
    const optional = ["cipher", "text"];
    for (const field of Object.keys(GOOD[name])) {
      const { [field as never]: _, ...rest } = GOOD[name];
      const expected = optional.includes(field)
        ? undefined
        : `/${field} is missing; it has to be there`;
      assertEquals(checkExtension(name, rest), expected);
      const odd = checkExtension(name, { ...GOOD[name], [field]: [null] });
      assert(odd?.startsWith(`/${field} is [null]; it `), `${name}.${field}: ${odd}`);
    }
    const more = { ...GOOD[name], more: 1 };
    assertEquals(checkExtension(name, more), "/more is 1; it has to be left out");
    assert(checkExtension(name, null)?.endsWith("it has to be of the type object"));
  }
});

Deno.test("Values out of bounds are refused", () => {
  const cases: readonly (readonly [OwnExtension, Readonly<Record<string, unknown>>])[] = [
    ["session", { "public_key": `02${"ab".repeat(32)}` }],
    ["session", { "public_key": `${POINT}0` }],
    ["session", { "public_key": `${POINT}\n` }],
    ["session", { signer: "bls" }],
    ["session", { cipher: "aes-cbc" }],
    ["battery", { "bike_id": "" }],
    ["battery", { "bike_id": "x".repeat(256) }],
    ["battery", { "time_ms": 1.5 }],
    ["battery", { "time_ms": 2 ** 53 }],
    ["battery", { data: "AQI" }],
    ["battery", { data: "AQ ID" }],
    ["battery", { digest: "cd".repeat(31) }],
    ["status", { state: "CHARGING" }],
    ["status", { "power_w": -1 }],
    ["status", { "energy_wh": "1" }],
    ["fault", { code: 65_536 }],
    ["fault", { hazard: 1 }],
    ["fault", { text: "x".repeat(256) }],
  ];
  for (const [name, odd] of cases) {
    assert(checkExtension(name, { ...GOOD[name], ...odd }) !== undefined, JSON.stringify(odd));
  }
});

Deno.test("The operator's extensions stand beside ours, and never in their place", () => {
  const extensions = map({
    meter: { type: "integer" },
    电池: { $ref: "#/$defs/a", $defs: { a: {} } },
  });
  assertEquals([...extensions.keys()], [...NAMES, "meter", "电池"]);
  assertEquals(extensions.get("meter")!("x"), 'the value is "x"; it has to be of the type integer');
  assertEquals(extensions.get("status")!(GOOD.status), undefined);
  assertEquals([...ownExtensions().keys()], NAMES);
  for (const name of [...NAMES, "tags"]) {
    assertEquals(fault({ [name]: true }), `extensions.${name}: busbar has this one itself`);
  }
  for (const name of ["", "a b", "a\n", "x".repeat(65)]) {
    assert(fault({ [name]: true }).includes("is no name of an extension"), name);
  }
  assert(fault({ meter: { type: "x" } }).startsWith("extensions.meter: /type is "));
});

Deno.test("Whatever JSON an extension is, nothing is thrown", () => {
  fc.assert(fc.property(fc.constantFrom(...NAMES), fc.jsonValue(), (name, value) => {
    assert(checkExtension(name, value) !== undefined);
  }));
});
