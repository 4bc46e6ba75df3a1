/** The register: which piles there are, and their keys; CSV files that an operator keeps. */
import { BLS_PUBLIC_SIZE } from "../../crypto/bls.ts";
import { Sm2PublicKey } from "../../crypto/sm2.ts";
import { type CsvRecord, readCsv } from "../../points/csv.ts";
import { type Cipher, CIPHERS, type PileKey, type TelemetryKey } from "../../protocol/cip22/mod.ts";

/** Most rows of a register. */
export const ROWS_MAX = 100_000;
/** Most faults that are told. */
const FAULTS_MAX = 20;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** A pile of the register. */
export interface Enrolled {
  readonly pile: string;
  readonly key: PileKey;
  readonly cipher: Cipher;
}

/** What a file says, and what of it cannot be taken. */
export interface Register<Row> {
  readonly rows: ReadonlyMap<string, Row>;
  readonly faults: readonly string[];
}

/** Reads the register of piles: `pile,signer,public_key,cipher`; the cipher may be left out. */
export function readPiles(text: string): Register<Enrolled> {
  return readRows(text, ["pile", "signer", "public_key"], (field) => {
    const pile = field("pile");
    if (!NAME.test(pile)) return `pile must have 1 to 64 letters, digits, _ and -, not "${pile}"`;
    const key = keyOf(field("signer"), field("public_key"), ["sm2", "secp256k1"]);
    if (typeof key === "string") return key;
    const { signer } = key as PileKey;
    const cipher = field("cipher") || (signer === "sm2" ? "sm4-gcm" : "aes-gcm");
    if (!(cipher in CIPHERS)) {
      return `cipher must be one of ${Object.keys(CIPHERS).join(", ")}, not "${cipher}"`;
    }
    return [pile, { pile, key: key as PileKey, cipher: cipher as Cipher }];
  });
}

/** Reads the register of bikes: `bike,signer,public_key`. */
export function readBikes(text: string): Register<TelemetryKey> {
  return readRows(text, ["bike", "signer", "public_key"], (field) => {
    const bike = field("bike");
    if (!NAME.test(bike)) return `bike must have 1 to 64 letters, digits, _ and -, not "${bike}"`;
    const key = keyOf(field("signer"), field("public_key"), ["sm2", "secp256k1", "bls"]);
    return typeof key === "string" ? key : [bike, key];
  });
}

/** The key that a configuration has, in hexadecimal digits. @returns What is wrong with it. */
export function keyOf(
  signer: string,
  hex: string,
  signers: readonly string[] = ["sm2", "secp256k1"],
): TelemetryKey | string {
  if (!signers.includes(signer)) {
    return `signer must be one of ${signers.join(", ")}, not "${signer}"`;
  }
  const digits = hex.replace(/^0x/i, "");
  if (!/^([0-9a-f]{2})+$/i.test(digits)) return `public_key must be hexadecimal, not "${hex}"`;
  const point = Uint8Array.fromHex(digits);
  const fits = signer === "bls"
    ? point.length === BLS_PUBLIC_SIZE
    : signer === "sm2"
    ? Sm2PublicKey.read(point) !== undefined
    : [33, 65].includes(point.length);
  return fits
    ? { signer: signer as TelemetryKey["signer"], point }
    : `public_key is no point of ${signer}`;
}

function readRows<Row>(
  text: string,
  needed: readonly string[],
  rowOf: (field: (name: string) => string) => readonly [string, Row] | string,
): Register<Row> {
  const { records, fault } = readCsv(text);
  const faults = fault ? [`line ${fault.line}: ${fault.message}`] : [];
  const [head, ...rest] = records;
  const columns = head?.fields.map((name) => name.trim()) ?? [];
  const missing = needed.filter((name) => !columns.includes(name));
  if (missing.length > 0) {
    return { rows: new Map(), faults: [`columns are missing: ${missing.join(", ")}`, ...faults] };
  }
  const rows = new Map<string, Row>();
  for (const record of rest) {
    const row = rowOf((name) => fieldOf(record, columns.indexOf(name)));
    const wrong = typeof row === "string"
      ? row
      : rows.has(row[0])
      ? `${row[0]} stands there twice`
      : rows.size >= ROWS_MAX
      ? `there are more than ${ROWS_MAX} rows`
      : undefined;
    if (wrong === undefined) rows.set(...row as [string, Row]);
    else if (faults.length < FAULTS_MAX) faults.push(`line ${record.line}: ${wrong}`);
  }
  return { rows, faults };
}

function fieldOf({ fields }: CsvRecord, index: number): string {
  return fields[index]?.trim() ?? "";
}
