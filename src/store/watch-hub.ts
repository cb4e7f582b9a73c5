import { setMaxListeners } from "node:events";
import type { Clock } from "../base/clock.ts";
import type { AnyObject, KindName } from "../api/registry.ts";
import type { Commit } from "./commit.ts";
import type { Selection, WatchEvent } from "./store.ts";
import { Watcher } from "./watcher.ts";

const bookmarkIntervalMs = 60_000;

/** Tells every reader of a kind what was committed, in order, and once a minute how far the store has come. */
export class WatchHub {
  readonly #clock: Clock;
  readonly #bufferEventsMax: number;
  /** The version bookmarks name: the last one that readers can see. */
  readonly #version: () => number;
  readonly #watchers = new Map<KindName, Set<Watcher>>();
  #count = 0;
  #timer: Disposable | undefined;

  constructor(clock: Clock, bufferEventsMax: number, version: () => number) {
    this.#clock = clock;
    this.#bufferEventsMax = bufferEventsMax;
    this.#version = version;
  }

  publish(commit: Commit): void {
    for (const watcher of this.#watchers.get(commit.kind) ?? []) watcher.tell(commit);
  }

  /** Registers at once, not at the first read: no commit after this call is missed. */
  watch(kind: KindName, selection: Selection, backlog: readonly Commit[], signal: AbortSignal): AsyncIterable<WatchEvent<AnyObject>> {
    const watchers = this.#watchers.get(kind) ?? new Set<Watcher>();
    this.#watchers.set(kind, watchers);
    // One signal may well end hundreds of watches: no leak, so no warning.
    setMaxListeners(0, signal);
    const onAbort = () => watcher.end();
    const watcher = new Watcher(selection, backlog, this.#bufferEventsMax, () => {
      signal.removeEventListener("abort", onAbort);
      watchers.delete(watcher);
      this.#count--;
      if (this.#count === 0) this.#timer = void this.#timer?.[Symbol.dispose]();
    });
    watchers.add(watcher);
    this.#count++;
    if (signal.aborted) watcher.end();
    else signal.addEventListener("abort", onAbort, { once: true });
    if (this.#count > 0 && this.#timer === undefined) this.#armBookmark();
    return watcher;
  }

  /** Ends every watch, as if its signal had aborted. */
  close(): void {
    for (const watchers of this.#watchers.values()) for (const watcher of [...watchers]) watcher.end();
  }

  /** Armed only while somebody watches, so that an idle store holds no timer. */
  #armBookmark(): void {
    this.#timer = this.#clock.after(bookmarkIntervalMs, () => {
      this.#timer = undefined;
      for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher.bookmark(this.#version());
      if (this.#count > 0) this.#armBookmark();
    });
  }
}
