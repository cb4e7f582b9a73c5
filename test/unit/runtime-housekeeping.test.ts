import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger as log } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import type { ObjectInput } from "../../src/api/meta.ts";
import type { Service } from "../../src/api/service.ts";
import { createEventExpiry } from "../../src/runtime/event-expiry.ts";
import { createEventRecorder } from "../../src/runtime/event-recorder.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createOwnerGarbage } from "../../src/runtime/owner-garbage.ts";
import type { Runnable } from "../../src/runtime/runnable.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";

const service = (name: string, namespace = "default", metadata: object = {}) =>
  ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace, ...metadata }, spec: { workspace: "w", command: ["true"] } }) as unknown as ObjectInput<Service>;

function world() {
  const clock = createVirtualClock();
  const random = seededRandom(11);
  const store = createMemoryStore({ clock, random });
  const stop = new AbortController();
  const run = async (...runnables: Runnable[]) => {
    const ended = runnables.map((each) => each.run(stop.signal, () => {}));
    await clock.advance(0);
    return async () => {
      stop.abort();
      await clock.advance(5000);
      await Promise.all(ended);
    };
  };
  return { clock, random, store, run };
}

describe("the event recorder", () => {
  it("counts what repeats, and tells anew what differs", async () => {
    const { clock, random, store, run } = world();
    const recorder = createEventRecorder({ store, clock, random, log, component: "test" });
    const end = await run(recorder);
    const about = await store.create("Service", service("web"));
    for (let i = 0; i < 3; i++) recorder.event(about, "Warning", "Exited", "ended with exit code 1");
    recorder.event(about, "Warning", "Exited", "ended with exit code 2");
    await clock.advance(10);
    const { items } = await store.list("Event");
    assert.deepEqual(items.map((event) => [event.message, event.count]).sort(), [["ended with exit code 1", 3], ["ended with exit code 2", 1]]);
    assert.equal(items[0]?.involvedObject.uid, about.metadata.uid);
    await clock.advance(11 * 60_000);
    recorder.event(about, "Warning", "Exited", "ended with exit code 1");
    await clock.advance(10);
    assert.equal((await store.list("Event")).items.length, 3, "after ten minutes it is a new story");
    await end();
  });
  it("drops the oldest when more comes than fits, and never throws", async () => {
    const { clock, random, store, run } = world();
    const about = await store.create("Service", service("web"));
    const recorder = createEventRecorder({ store, clock, random, log, component: "test" });
    for (let i = 0; i < 1500; i++) recorder.event(about, "Normal", "Story", `number ${i}`);
    recorder.event({ ...about, metadata: { ...about.metadata, namespace: "gone" } }, "Normal", "Story", "x".repeat(5000));
    const end = await run(recorder);
    await clock.advance(1000);
    const { items } = await store.list("Event");
    assert.equal(items.length, 999);
    assert.ok(!items.some((event) => event.message === "number 0"));
    await end();
  });
});

describe("event expiry", () => {
  it("deletes what is older than an hour", async () => {
    const { clock, random, store, run } = world();
    const about = await store.create("Service", service("web"));
    const recorder = createEventRecorder({ store, clock, random, log, component: "test" });
    const end = await run(recorder, createEventExpiry({ store, clock, log }));
    recorder.event(about, "Normal", "Old", "old");
    await clock.advance(59 * 60_000);
    recorder.event(about, "Normal", "Young", "young");
    await clock.advance(3 * 60_000);
    assert.deepEqual((await store.list("Event")).items.map((event) => event.reason), ["Young"]);
    await end();
  });
});

describe("owner garbage", () => {
  it("deletes what has lost all its owners, and only that", async () => {
    const { clock, random, store, run } = world();
    const informer = createInformer("Service", { store, clock, random, log });
    const owner = await store.create("Service", service("owner"));
    const other = await store.create("Service", service("other"));
    const reference = ({ metadata }: Service, uid = metadata.uid) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", name: metadata.name, uid });
    await store.create("Service", service("child", "default", { ownerReferences: [reference(owner)] }));
    await store.create("Service", service("shared", "default", { ownerReferences: [reference(owner), reference(other)] }));
    await store.create("Service", service("of-another-uid", "default", { ownerReferences: [reference(other, "somebody-else")] }));
    await store.create("Service", service("of-a-stranger", "default", { ownerReferences: [{ apiVersion: "example.com/v1", kind: "Thing", name: "x", uid: "y" }] }));
    const end = await run(informer, createOwnerGarbage({ store, informers: [informer], clock, log }));
    await clock.advance(100);
    await store.delete("Service", { namespace: "default", name: "owner" });
    await clock.advance(40_000);
    assert.deepEqual((await store.list("Service")).items.map((each) => each.metadata.name), ["of-a-stranger", "other", "shared"]);
    await end();
  });
});
