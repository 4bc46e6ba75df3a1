/** Makes and checks tags of authenticity with one key, in place and without allocating. */
export interface Authenticator {
  /** Writes the first `size` octets of the tag of `octets[from … end)` at `to`. */
  sign(
    octets: Uint8Array,
    from: number,
    end: number,
    target: Uint8Array,
    to: number,
    size: number,
  ): void;
  /** Whether the `size` octets at `tagAt` are the tag; the time does not depend on where not. */
  verify(octets: Uint8Array, from: number, end: number, tagAt: number, size: number): boolean;
}
