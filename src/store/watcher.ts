import type { AnyObject } from "../api/registry.ts";
import { matchesFields, matchesLabels } from "../api/selectors.ts";
import { StatusError } from "../api/status-error.ts";
import type { Commit } from "./commit.ts";
import { deepFreeze } from "./frozen-json.ts";
import type { Selection, WatchEvent } from "./store.ts";

export function selects({ namespace, labels, fields }: Selection, object: AnyObject): boolean {
  return (
    (namespace === undefined || object.metadata.namespace === namespace) &&
    (labels === undefined || matchesLabels(labels, object.metadata.labels)) &&
    (fields === undefined || matchesFields(fields, object))
  );
}

/** What a commit is to those who see only a selection; undefined: nothing. */
function eventOf(selection: Selection, { version, before, after, last }: Commit): WatchEvent<AnyObject> | undefined {
  const was = before !== undefined && selects(selection, before);
  const is = after !== undefined && selects(selection, after);
  if (is) return { type: was ? "MODIFIED" : "ADDED", object: after };
  if (!was) return undefined;
  if (after === undefined) return { type: "DELETED", object: last };
  // It left the selection: its last state in there, under the version at which it left.
  const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } } as AnyObject;
  return { type: "DELETED", object: deepFreeze(object) };
}

type Step = IteratorResult<WatchEvent<AnyObject>, undefined>;
interface Waiter {
  readonly resolve: (step: Step) => void;
  readonly reject: (error: StatusError) => void;
}
const end: Step = { done: true, value: undefined };

/** One reader of changes with its bounded buffer. Iterate it once. */
export class Watcher implements AsyncIterableIterator<WatchEvent<AnyObject>, undefined> {
  readonly #selection: Selection;
  readonly #bufferEventsMax: number;
  readonly #onEnd: () => void;
  #buffer: WatchEvent<AnyObject>[] = [];
  #head = 0;
  #waiters: Waiter[] = [];
  #state: "open" | "ended" | StatusError = "open";

  /**
   * @param backlog commits to deliver first; the buffer's bound does not hold for these, history's does
   * @param onEnd called once, when it needs no more commits
   */
  constructor(selection: Selection, backlog: readonly Commit[], bufferEventsMax: number, onEnd: () => void) {
    this.#selection = selection;
    this.#onEnd = onEnd;
    for (const commit of backlog) {
      const event = eventOf(selection, commit);
      if (event !== undefined) this.#buffer.push(event);
    }
    this.#bufferEventsMax = bufferEventsMax + this.#buffer.length;
  }

  tell(commit: Commit): void {
    const event = eventOf(this.#selection, commit);
    if (event !== undefined) this.#push(event);
  }

  /** Replaces a bookmark nobody has read yet: only the newest says anything. */
  bookmark(version: number): void {
    const event = { type: "BOOKMARK", resourceVersion: String(version) } as const;
    if (this.#buffer.length > this.#head && this.#buffer.at(-1)!.type === "BOOKMARK") this.#buffer[this.#buffer.length - 1] = event;
    else this.#push(event);
  }

  #push(event: WatchEvent<AnyObject>): void {
    if (this.#state !== "open") return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) return waiter.resolve({ done: false, value: event });
    if (this.#buffer.length - this.#head >= this.#bufferEventsMax) {
      return this.fail(new StatusError("Gone", `This watch fell more than ${this.#bufferEventsMax} events behind: list again and watch from that list's version`));
    }
    this.#buffer.push(event);
  }

  /** Ends it with an error: the reader sees it at its next read, and what was buffered is dropped. */
  fail(error: StatusError): void {
    this.#finish(error);
  }

  end(): void {
    this.#finish("ended");
  }

  #finish(state: "ended" | StatusError): void {
    if (this.#state !== "open") return;
    this.#state = state;
    this.#buffer = [];
    this.#head = 0;
    for (const waiter of this.#waiters.splice(0)) {
      if (state === "ended") waiter.resolve(end);
      else waiter.reject(state);
    }
    this.#onEnd();
  }

  next(): Promise<Step> {
    if (this.#state === "ended") return Promise.resolve(end);
    if (this.#state !== "open") {
      const error = this.#state;
      // An async iterator that has thrown is done.
      this.#state = "ended";
      return Promise.reject(error);
    }
    if (this.#head < this.#buffer.length) {
      const value = this.#buffer[this.#head++]!;
      if (this.#head === this.#buffer.length || this.#head > 1000) {
        this.#buffer = this.#buffer.slice(this.#head);
        this.#head = 0;
      }
      return Promise.resolve({ done: false, value });
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  return(): Promise<Step> {
    this.end();
    return Promise.resolve(end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
