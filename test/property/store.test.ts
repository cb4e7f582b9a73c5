import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { silentLogger } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { labelsEqual } from "../../src/api/selectors.ts";
import { StatusError } from "../../src/api/status-error.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { openFileStore } from "../../src/store/file-store.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store, WatchEvent } from "../../src/store/store.ts";
import { workspace } from "../conformance/store/fixture.ts";
import { checkAsync } from "./check.ts";

// Random programs of writes against a model of one screen. The model knows names, not JSON: what an object holds is one
// number (its wish), one label, one status, its finalizers and whether it goes.

interface Modelled {
  readonly wish: number;
  readonly label: string;
  readonly status: number | undefined;
  readonly guarded: boolean;
  readonly going: boolean;
  readonly generation: number;
}
type Model = Map<string, Modelled>;

type Step =
  | { readonly do: "create"; readonly name: string; readonly wish: number; readonly label: string; readonly guarded: boolean }
  | { readonly do: "update"; readonly name: string; readonly wish: number; readonly label: string; readonly stale: boolean }
  | { readonly do: "status"; readonly name: string; readonly status: number }
  | { readonly do: "delete" | "release"; readonly name: string }
  | { readonly do: "reopen" };

const name = fc.constantFrom("a", "b", "c");
const wish = fc.nat(2);
const label = fc.constantFrom("x", "y");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("create" as const), name, wish, label, guarded: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("update" as const), name, wish, label, stale: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("status" as const), name, status: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("delete" as const, "release" as const), name }) },
  { weight: 1, arbitrary: fc.constant({ do: "reopen" as const }) },
);

/** What the step does to the model: the reason it is refused with, or whether it changes anything. */
function apply(model: Model, each: Exclude<Step, { do: "reopen" }>): string | boolean {
  const old = model.get(each.name);
  if (each.do === "create") {
    if (old !== undefined) return "AlreadyExists";
    model.set(each.name, { wish: each.wish, label: each.label, status: undefined, guarded: each.guarded, going: false, generation: 1 });
    return true;
  }
  if (old === undefined) return "NotFound";
  const put = (next: Modelled) => {
    model.set(each.name, next);
    return JSON.stringify(next) !== JSON.stringify(old);
  };
  switch (each.do) {
    case "update":
      if (each.stale) return "Conflict";
      return put({ ...old, wish: each.wish, label: each.label, generation: old.generation + (each.wish === old.wish ? 0 : 1) });
    case "status":
      return put({ ...old, status: each.status });
    case "delete":
      if (old.guarded) return put(old.going ? old : { ...old, going: true, generation: old.generation + 1 });
      return model.delete(each.name);
    case "release":
      if (old.going) return model.delete(each.name);
      return put({ ...old, guarded: false });
  }
}

const guard = "vendetta.dev/guard";
const ref = (name: string) => ({ namespace: "default", name });

async function perform(store: Store, each: Exclude<Step, { do: "reopen" }>): Promise<unknown> {
  switch (each.do) {
    case "create":
      return store.create("Workspace", workspace(each.name, { metadata: { labels: { l: each.label }, ...(each.guarded && { finalizers: [guard] }) }, spec: { env: { W: String(each.wish) } } }));
    case "update": {
      const current = await store.get("Workspace", ref(each.name));
      const metadata = { ...current.metadata, labels: { l: each.label }, ...(each.stale && { resourceVersion: "1" }) };
      return store.update("Workspace", { ...current, metadata, spec: { ...current.spec, env: { W: String(each.wish) } } });
    }
    case "status":
      return store.updateStatus("Workspace", workspace(each.name, { status: { restarts: each.status } }));
    case "delete":
      return store.delete("Workspace", ref(each.name));
    case "release":
      return store.patch("Workspace", ref(each.name), { type: "merge", patch: { metadata: { finalizers: null } } });
  }
}

function modelled({ metadata, spec, status }: Workspace): Modelled {
  return { wish: Number(spec.env["W"]), label: metadata.labels?.["l"] ?? "", status: status?.restarts, guarded: metadata.finalizers !== undefined, going: metadata.deletionTimestamp !== undefined, generation: metadata.generation };
}

const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

/** Runs the program; after it, a watcher of everything and one of a selection must each have come to the list's content. */
async function run(steps: readonly Step[], store: Store, reopen: (() => Promise<Store>) | undefined): Promise<void> {
  const model: Model = new Map();
  const { resourceVersion: from } = await store.list("Workspace");
  let version = from;
  for (const each of steps) {
    if (each.do === "reopen") {
      if (reopen !== undefined) store = await reopen();
    } else {
      const expected = apply(model, each);
      const result = await perform(store, each).then(() => "done", (error: unknown) => (error instanceof StatusError ? error.reason : Promise.reject(error)));
      assert.equal(result, typeof expected === "string" ? expected : "done", JSON.stringify(each));
      const next = (await store.list("Workspace")).resourceVersion;
      assert.equal(Number(next) - Number(version), expected === true ? 1 : 0, `${JSON.stringify(each)} makes ${expected === true ? "one version" : "no version"}`);
      version = next;
    }
    const { items, resourceVersion } = await store.list("Workspace");
    assert.equal(resourceVersion, version);
    assert.deepEqual(items.map((item) => [item.metadata.name, modelled(item)]), sorted(model));
  }
  await checkWatch(store, from, {}, model, version);
  await checkWatch(store, from, { labels: labelsEqual({ l: "x" }) }, new Map([...model].filter(([, each]) => each.label === "x")), version);
}

async function checkWatch(store: Store, from: string, selection: object, expected: Model, version: string): Promise<void> {
  const controller = new AbortController();
  const seen: Model = new Map();
  let last = Number(from);
  const watch = store.watch("Workspace", { ...selection, from }, controller.signal);
  const reading = (async () => {
    for await (const event of watch as AsyncIterable<WatchEvent<Workspace>>) {
      assert.notEqual(event.type, "BOOKMARK");
      if (event.type === "BOOKMARK") continue;
      const { name, resourceVersion } = event.object.metadata;
      assert.ok(Number(resourceVersion) > last, "versions go up");
      last = Number(resourceVersion);
      assert.equal(seen.has(name), event.type !== "ADDED", `${event.type} ${name}`);
      if (event.type === "DELETED") seen.delete(name);
      else seen.set(name, modelled(event.object));
    }
  })();
  // It may be refused while this waits: that is thrown below, where it is awaited.
  reading.catch(() => undefined);
  // All of it is history: it is there when the reader asks, so a few turns of the loop deliver it.
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  await reading;
  assert.ok(last <= Number(version));
  assert.deepEqual(sorted(seen), sorted(expected));
}

test("memory store against the model", () =>
  checkAsync(fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) => run(steps, createMemoryStore({ clock: createVirtualClock(), random: seededRandom(1) }), undefined)), 300));

test("file store against the model, opened again and again, folding its journal all the time", { timeout: 120_000 }, () =>
  checkAsync(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.constantFrom(1, 2000, 1_000_000), async (steps, journalBytesMax) => {
      const dir = await mkdtemp(join(tmpdir(), "vendetta-store-"));
      const open = () => openFileStore({ dir, clock: createVirtualClock(), random: seededRandom(1), log: silentLogger, journalBytesMax });
      let store = await open();
      try {
        await run(steps, store, async () => {
          await store.close();
          return (store = await open());
        }).catch((error: unknown) => {
          // Folding drops the history a watch from the start needs; that is Gone, as it must be.
          if (!(error instanceof StatusError && error.reason === "Gone")) throw error;
        });
      } finally {
        await store.close();
        await rm(dir, { recursive: true });
      }
    }),
    40,
  ));
