/** How long the way there and back takes; microseconds. §4.10 */

const FIRST = 100_000;

/** A smoothed round trip and how much it varies. */
export class RoundTrip {
  smoothed = FIRST;
  variance = FIRST / 2;
  #begun = false;

  /** One that was measured here. */
  sample(rtt: number): void {
    if (!(rtt > 0)) return;
    if (!this.#begun) {
      this.#begun = true;
      this.smoothed = rtt;
      this.variance = rtt / 2;
      return;
    }
    this.variance += (Math.abs(this.smoothed - rtt) - this.variance) / 4;
    this.smoothed += (rtt - this.smoothed) / 8;
  }

  /** What the peer has measured; it is taken as it is by who receives no data itself. */
  adopt(rtt: number, variance: number): void {
    if (!(rtt > 0) || rtt > 60_000_000) return;
    this.smoothed = rtt;
    this.variance = Math.min(variance, 60_000_000);
  }
}
