import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectInput } from "../../../src/api/meta.ts";
import type { Service } from "../../../src/api/service.ts";
import { StatusError } from "../../../src/api/status-error.ts";
import type { Workspace } from "../../../src/api/workspace.ts";
import type { Store, WatchEvent } from "../../../src/store/store.ts";
import type { StoreBounds } from "../../../src/store/embedded-store.ts";
import type { AnyObject } from "../../../src/api/registry.ts";

/** A store under test, new and empty but for the namespace default. */
export interface StoreFixture {
  readonly store: Store;
  /** Moves the store's clock. Absent: the store's time cannot be moved, and tests of capability "clock" are skipped. */
  readonly advance?: ((ms: number) => Promise<void>) | undefined;
  close(): Promise<void>;
}

/** Makes a store with these bounds. */
export type MakeStore = (bounds: StoreBounds) => Promise<StoreFixture>;

/** What an implementation may lack. Each absence needs a reason, which is printed. */
export type Capability =
  /** The store's clock can be moved. */
  | "clock"
  /** The bounds handed to `make` hold. */
  | "bounds"
  /** A reader that does not read makes the store's buffer for it grow, with no other buffer between. */
  | "directWatch"
  /** Values that are no JSON text can be handed in: undefined fields, objects used twice. */
  | "inProcess"
  /** A write can be without a manager. */
  | "unnamedWriters";

export type Skips = Partial<Readonly<Record<Capability, string>>>;

/** An input as a client writes it: defaults left out. */
export function workspace(name: string, more: { readonly metadata?: object; readonly spec?: object; readonly status?: object } = {}): ObjectInput<Workspace> {
  return {
    apiVersion: "vendetta.dev/v1alpha1",
    kind: "Workspace",
    metadata: { name, namespace: "default", ...more.metadata },
    spec: { provider: "docker", image: "node:20", ...more.spec },
    ...(more.status && { status: more.status }),
  } as unknown as ObjectInput<Workspace>;
}

export function service(name: string, spec: object = {}, metadata: object = {}): ObjectInput<Service> {
  return {
    apiVersion: "vendetta.dev/v1alpha1",
    kind: "Service",
    metadata: { name, namespace: "default", ...metadata },
    spec: { workspace: "dev", command: ["run"], ...spec },
  } as unknown as ObjectInput<Service>;
}

export function namespace(name: string, metadata: object = {}): never {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, ...metadata } } as never;
}

/** Reads `count` events that are no bookmarks. Fails by the test's own time-out when they do not come. */
export async function take<T extends AnyObject>(watch: AsyncIterable<WatchEvent<T>>, count: number): Promise<{ readonly type: string; readonly object: T }[]> {
  const events: { readonly type: string; readonly object: T }[] = [];
  const iterator = watch[Symbol.asyncIterator]();
  while (events.length < count) {
    const { value, done } = (await iterator.next()) as IteratorResult<WatchEvent<T>, undefined>;
    if (done === true) break;
    if (value.type !== "BOOKMARK") events.push(value);
  }
  return events;
}

/** `ADDED a`, `MODIFIED a`: what events come to, for comparing. */
export function told(events: readonly { readonly type: string; readonly object: AnyObject }[]): string[] {
  return events.map(({ type, object }) => `${type} ${object.metadata.name}`);
}

export function named(objects: readonly AnyObject[]): string[] {
  return objects.map(({ metadata: { namespace, name } }) => (namespace === undefined ? name : `${namespace}/${name}`));
}

/** Whether the error is a StatusError of that reason whose message has these words. */
export function status(reason: string, ...words: (string | RegExp)[]): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof StatusError, `expected a StatusError, got ${String(error)}`);
    assert.equal(error.reason, reason, error.message);
    for (const word of words) {
      assert.ok(typeof word === "string" ? error.message.includes(word) : word.test(error.message), `expected ${String(word)} in: ${error.message}`);
    }
    return true;
  };
}

export function withStore(make: MakeStore, name: string, body: (store: Store) => Promise<void>, skip?: string): void {
  test(name, { timeout: 20_000, ...(skip !== undefined && { skip }) }, async () => {
    const fixture = await make({});
    try {
      await body(fixture.store);
    } finally {
      await fixture.close();
    }
  });
}
