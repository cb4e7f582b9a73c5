import type { KindName } from "../api/registry.ts";
import type { Commit } from "./commit.ts";

/** The last commits of one kind, oldest first. */
interface Ring {
  commits: Commit[];
  /** Where the ring starts in `commits`; what is before it is dropped when it is half of the array. */
  start: number;
  /** Version of the newest commit that was dropped: nothing is known of what happened up to it. */
  floor: number;
}

/**
 * The latest commits of each kind: what a watch can start from, and what a page of an older list is rebuilt with. A ring
 * a kind, so that a stream of Events does not push out what the watchers of Workspaces need.
 */
export class History {
  readonly #rings = new Map<KindName, Ring>();
  readonly #initialFloor: number;
  readonly #eventsMax: number;

  /** @param floor the version of the state this history starts after */
  constructor(floor: number, eventsMax: number) {
    this.#initialFloor = floor;
    this.#eventsMax = eventsMax;
  }

  add(commit: Commit): void {
    let ring = this.#rings.get(commit.kind);
    if (ring === undefined) this.#rings.set(commit.kind, (ring = { commits: [], start: 0, floor: this.#initialFloor }));
    ring.commits.push(commit);
    if (ring.commits.length - ring.start <= this.#eventsMax) return;
    ring.floor = ring.commits[ring.start]!.version;
    ring.start++;
    if (ring.start > this.#eventsMax) {
      ring.commits = ring.commits.slice(ring.start);
      ring.start = 0;
    }
  }

  /** All that are kept, of all kinds. */
  *kept(): Iterable<Commit> {
    for (const { commits, start } of this.#rings.values()) yield* commits.slice(start);
  }

  /** Commits of the kind after the version, oldest first; undefined when some of them are no longer kept. */
  after(kind: KindName, version: number): readonly Commit[] | undefined {
    const ring = this.#rings.get(kind);
    if (version < (ring?.floor ?? this.#initialFloor)) return undefined;
    if (ring === undefined) return [];
    let low = ring.start;
    let high = ring.commits.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ring.commits[middle]!.version <= version) low = middle + 1;
      else high = middle;
    }
    return ring.commits.slice(low);
  }
}
