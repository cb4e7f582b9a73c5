import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { labelsEqual } from "../../src/api/selectors.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { checkAsync } from "./check.ts";

const historyEventsMax = 12;

/** A write that comes between two pages. */
const write = fc.record({ do: fc.constantFrom("put", "delete"), name: fc.constantFrom(..."abcdefgh"), label: fc.constantFrom("x", "y") });
type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;

async function perform(store: Store, { do: what, name, label }: Write): Promise<void> {
  const object = { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name, namespace: "default", labels: { l: label } }, spec: { provider: "docker", image: "node:20" } } as never;
  const attempt = what === "delete" ? store.delete("Workspace", { namespace: "default", name }) : store.create("Workspace", object).catch(() => store.update("Workspace", object));
  await attempt.catch((error: unknown) => {
    if (!(error instanceof StatusError && error.reason === "NotFound")) throw error;
  });
}

const seen = (items: readonly { readonly metadata: { readonly name: string; readonly resourceVersion: string } }[]) => items.map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`);

test("pages are the list of their first page's version, whatever is written between them; or Expired, and then the rest as it is", () =>
  checkAsync(
    fc.asyncProperty(fc.array(write, { maxLength: 20 }), fc.array(fc.array(write, { maxLength: 8 }), { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 4 }), fc.boolean(), async (before, between, limit, selecting) => {
      const store = createMemoryStore({ clock: createVirtualClock(), random: seededRandom(1), historyEventsMax });
      const selection = selecting ? { labels: labelsEqual({ l: "x" }) } : {};
      for (const each of before) await perform(store, each);
      let expected = seen((await store.list("Workspace", selection)).items);
      let page = await store.list("Workspace", { ...selection, limit });
      let at = page.resourceVersion;
      let got = seen(page.items);
      for (let i = 0; page.continue !== undefined; i++) {
        if (!selecting) assert.equal(page.remainingItemCount, expected.length - got.length);
        let token: string | undefined = page.continue;
        for (const each of between[i % between.length]!) await perform(store, each);
        const next = await store.list("Workspace", { ...selection, limit, continue: token }).catch((error: unknown) => error as StatusError);
        if (next instanceof StatusError) {
          assert.equal(next.reason, "Expired");
          const { resourceVersion } = await store.list("Workspace");
          assert.ok(Number(resourceVersion) - Number(at) > historyEventsMax, "expired though all of it is kept");
          // The rest of the list as it is now, behind the last object that was given.
          token = next.continue;
          page = await store.list("Workspace", { ...selection, limit, continue: token });
          at = resourceVersion;
          const last = got.at(-1)!.split("@")[0]!;
          expected = seen((await store.list("Workspace", selection)).items).filter((each) => each.split("@")[0]! > last);
          got = seen(page.items);
        } else {
          page = next;
          got.push(...seen(page.items));
        }
        assert.equal(page.resourceVersion, at);
        assert.ok(page.items.length <= limit);
      }
      assert.deepEqual(got, expected);
    }),
    300,
  ));

test("a list at a version is the list that was there", () =>
  checkAsync(
    fc.asyncProperty(fc.array(write, { maxLength: 30 }), async (writes) => {
      const store = createMemoryStore({ clock: createVirtualClock(), random: seededRandom(1), historyEventsMax });
      const lists = [await store.list("Workspace")];
      for (const each of writes) {
        await perform(store, each);
        lists.push(await store.list("Workspace"));
      }
      const current = Number(lists.at(-1)!.resourceVersion);
      for (const list of lists) {
        const again = await store.list("Workspace", { at: list.resourceVersion }).catch((error: unknown) => error as StatusError);
        if (again instanceof StatusError) assert.ok(again.reason === "Expired" && current - Number(list.resourceVersion) > historyEventsMax, again.message);
        else assert.deepEqual(again, list);
      }
    }),
    100,
  ));
