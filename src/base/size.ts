const SIZE_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
};

/** Reads a size with its unit, such as `64KiB`, as octets; undefined when `text` is not one. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|kB|MB|GB)$/.exec(text);
  return match ? Math.round(Number(match[1]) * SIZE_UNIT[match[2]!]!) : undefined;
}

/** Writes a size in the largest binary unit that holds it as a whole number: `64KiB`, `1000B`. */
export function formatSize(octets: number): string {
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    const size = SIZE_UNIT[unit]!;
    if (octets >= size && octets % size === 0) return `${octets / size}${unit}`;
  }
  return `${octets}B`;
}

/** Writes a size for people, to a tenth: `1.4MiB`. */
export function roughSize(octets: number): string {
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    const size = SIZE_UNIT[unit]!;
    if (octets >= size) return `${(octets / size).toFixed(1)}${unit}`;
  }
  return `${octets}B`;
}
