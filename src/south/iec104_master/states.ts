/** The states of an RTU's links and channels as points. */
import type { Clock } from "../../platform/clock.ts";
import { type PointId, type Points, QUALITY, type Sample } from "../../points/points.ts";

/** What a link is known to be: 1 up, 0 down; unknown before it was tried. */
type State = boolean | undefined;

/** Where an interrogation stands, as the value of its point. */
export const INTERROGATION = { idle: 0, started: 1, done: 2, failed: 3 } as const;

/** Publishes what changes. Names begin with `sys.<service>`. */
export class States {
  readonly #links: State[][];

  constructor(
    readonly id: string,
    readonly points: Points,
    readonly clock: Clock,
    channels: readonly (readonly unknown[])[],
    readonly virtual: { readonly rtu: number; readonly first: number } | undefined,
  ) {
    this.#links = channels.map((links) => links.map(() => undefined));
    this.#publish(channels.flatMap((_, channel) => this.#channel(channel)));
    this.online(false);
    this.interrogation(INTERROGATION.idle);
  }

  /** A link was connected, or lost, or could not be reached. */
  link(channel: number, link: number, up: boolean): void {
    const links = this.#links[channel]!;
    if (links[link] === up) return;
    links[link] = up;
    this.#publish(this.#channel(channel));
  }

  /** Whether data transfer runs. */
  online(up: boolean): void {
    this.#publish([this.#sample("online", up)]);
  }

  /** All links were tried in turn, and none was reached. */
  allDown(down: boolean): void {
    this.#publish([this.#sample("all_links_down", down)]);
  }

  /** Where the last interrogation stands; see {@linkcode INTERROGATION}. */
  interrogation(state: number): void {
    this.#publish([this.#sample("interrogation", state)]);
  }

  #channel(channel: number): Sample[] {
    const links = this.#links[channel]!;
    const name = `channel_${channel + 1}`;
    // A channel is up when one of its links is; it is known when each of them is.
    const up = links.includes(true) ? true : links.includes(undefined) ? undefined : false;
    const samples = links.map((state, link) => this.#state(`${name}.link_${link + 1}`, state));
    const own = this.#state(name, up);
    if (!this.virtual) return [...samples, own];
    const { rtu, first } = this.virtual;
    const virtual = { ...own, point: `vpt.${rtu}.${first + channel}` as PointId };
    return [...samples, own, virtual];
  }

  #state(name: string, state: State): Sample {
    const sample = this.#sample(name, state ?? false);
    return state === undefined ? { ...sample, quality: QUALITY.stale } : sample;
  }

  #sample(name: string, value: boolean | number): Sample {
    const point = `sys.${this.id}.${name}` as PointId;
    return { point, value, quality: QUALITY.good, at: this.clock.epoch() };
  }

  #publish(samples: readonly Sample[]): void {
    const changed = samples.filter(({ point, value, quality }) => {
      const last = this.points.last(point);
      return last?.value !== value || last.quality !== quality;
    });
    if (changed.length > 0) this.points.publish(changed);
  }
}
