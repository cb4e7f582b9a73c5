import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { seededRandom } from "../../src/base/random.ts";
import { systemClock } from "../../src/base/system.ts";
import type { Pod } from "../../src/api/pod.ts";
import { podOf } from "../../src/api/pod-of.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { createPodStore } from "../../src/store/pod-store.ts";
import { service, workspace } from "../conformance/store/fixture.ts";
import { checkAsync } from "./check.ts";

const name = (prefix: string) => fc.constantFrom("a", "b", "c").map((each) => prefix + each);
const write = fc.oneof(
  fc.record({ do: fc.constant("workspace" as const), name: name("w"), image: fc.constantFrom("x:1", "x:2") }),
  fc.record({ do: fc.constant("service" as const), name: name("s"), workspace: name("w"), word: fc.constantFrom("run", "walk") }),
  fc.record({ do: fc.constant("status" as const), name: name("w"), address: fc.constantFrom("10.0.0.1", "10.0.0.2") }),
  fc.record({ do: fc.constant("delete" as const), kind: fc.constantFrom("Workspace" as const, "Service" as const), name: fc.oneof(name("w"), name("s")) }),
);
interface Told {
  readonly type: string;
  readonly object?: Pod;
}
const byName = (pods: Iterable<Pod>) => new Map([...pods].map((each) => [each.metadata.name, each]));

describe("the view of Pods", () => {
  it("is what its parts are, after any writes; a watch tells each change in order; versions never go back", async () => {
    await checkAsync(fc.asyncProperty(fc.array(write, { maxLength: 30 }), fc.nat(10), async (writes, look) => {
      const base = createMemoryStore({ clock: systemClock, random: seededRandom(1) });
      const store = createPodStore(base, systemClock);
      const end = new AbortController();
      const ref = (each: string) => ({ namespace: "default", name: each });
      let followed: { readonly seen: Map<string, Pod>; readonly events: AsyncIterator<Told> } | undefined;
      for (const [i, each] of writes.entries()) {
        if (i === look) {
          const list = await store.list("Pod");
          followed = { seen: byName(list.items), events: store.watch("Pod", { from: list.resourceVersion }, end.signal)[Symbol.asyncIterator]() as never };
        }
        // Some are of what is not there, or is there already: no matter.
        await (async () => {
          if (each.do === "workspace") await base.create("Workspace", workspace(each.name)).catch(() => base.patch("Workspace", ref(each.name), { type: "merge", patch: { spec: { image: each.image } } }));
          else if (each.do === "service") await base.create("Service", service(each.name, { workspace: each.workspace })).catch(() => base.patch("Service", ref(each.name), { type: "merge", patch: { spec: { workspace: each.workspace, command: [each.word] } } }));
          else if (each.do === "status") await base.patch("Workspace", ref(each.name), { type: "merge", patch: { status: { nodeName: "n1", address: each.address } } }, { subresource: "status" });
          else await base.delete(each.kind, ref(each.name));
        })().catch(() => {});
      }
      const { items, resourceVersion } = await store.list("Pod");
      const services = (await base.list("Service")).items;
      const expected = (await base.list("Workspace")).items.map((each) => podOf(each, services.filter((of) => of.spec.workspace === each.metadata.name), ""));
      const withoutVersion = (pod: Pod) => ({ ...pod, metadata: { ...pod.metadata, resourceVersion: "" } });
      assert.deepEqual(items.map(withoutVersion), expected);
      assert.equal(resourceVersion, (await base.list("Workspace")).resourceVersion);
      assert.ok(items.every((each) => Number(each.metadata.resourceVersion) <= Number(resourceVersion)));

      if (followed === undefined) return;
      let version = 0;
      // What the store has told is there to be read at once: the first read that must wait is the end.
      for (;;) {
        const next: IteratorResult<Told> | undefined = await Promise.race([followed.events.next(), new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
        if (next === undefined || next.done === true) break;
        const { type, object }: Told = next.value;
        assert.ok(object !== undefined && Number(object.metadata.resourceVersion) >= version);
        version = Number(object.metadata.resourceVersion);
        assert.equal(followed.seen.has(object.metadata.name), type !== "ADDED");
        if (type === "DELETED") followed.seen.delete(object.metadata.name);
        else followed.seen.set(object.metadata.name, object);
      }
      end.abort();
      assert.deepEqual(followed.seen, byName(items));
    }));
  });
});
