import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { OwnerReference } from "../../src/api/meta.ts";
import { isNotFound } from "../../src/api/status-error.ts";
import { ownerGarbageWorld } from "../harness/owner-garbage-world.ts";
import { checkAsync } from "./check.ts";

const objectsMax = 8;
const index = fc.nat(objectsMax - 1);
const edge = fc.record({ owner: index, dependent: index, block: fc.boolean() });
const deletion = fc.record({ name: index, propagation: fc.constantFrom("Background" as const, "Foreground" as const, "Orphan" as const), settles: fc.boolean() });

/** Owners by object. Whoever has owners goes when all of them have gone. */
class Model {
  readonly owners = new Map<string, Set<string>>();

  delete(name: string, propagation: "Background" | "Foreground" | "Orphan"): void {
    this.owners.delete(name);
    if (propagation === "Orphan") for (const owners of this.owners.values()) owners.delete(name);
    for (let again = true; again; ) {
      again = false;
      for (const [each, owners] of this.owners) {
        const left = [...owners].filter((owner) => this.owners.has(owner));
        if (owners.size === 0 || left.length > 0) continue;
        this.owners.delete(each);
        again = true;
      }
    }
    for (const owners of this.owners.values()) for (const owner of owners) if (!this.owners.has(owner)) owners.delete(owner);
  }
}

test("whatever owns whatever, circles included, and however it is deleted: in the end all that lost its owners is gone, and all else is there", async () => {
  await checkAsync(fc.asyncProperty(fc.array(edge, { maxLength: 14 }), fc.array(deletion, { minLength: 1, maxLength: 4 }), async (edges, deletions) => {
    const { store, clock, end } = await ownerGarbageWorld("Lease", 5);
    const model = new Model();
    const uids = new Map<string, string>();
    const refOf = (name: string) => ({ namespace: "default", name });
    for (let i = 0; i < objectsMax; i++) {
      const made = await store.create("Lease", { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: refOf(`l${i}`), spec: {} });
      uids.set(`l${i}`, made.metadata.uid);
      model.owners.set(`l${i}`, new Set());
    }
    for (let i = 0; i < objectsMax; i++) {
      const references = new Map<string, OwnerReference>();
      for (const { owner, dependent, block } of edges) {
        // Nothing owns itself: that would never go in the foreground in Kubernetes either.
        if (dependent !== i || owner === i) continue;
        references.set(`l${owner}`, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", name: `l${owner}`, uid: uids.get(`l${owner}`)!, blockOwnerDeletion: block });
        model.owners.get(`l${i}`)!.add(`l${owner}`);
      }
      await store.patch("Lease", refOf(`l${i}`), { type: "merge", patch: { metadata: { ownerReferences: [...references.values()] } } });
    }
    await clock.advance(1000);

    for (const { name, propagation, settles } of deletions) {
      const target = `l${name}`;
      if (!model.owners.has(target)) continue;
      try {
        await store.delete("Lease", refOf(target), {}, { propagation });
        model.delete(target, propagation);
      } catch (error) {
        // It went with its owners already.
        if (!isNotFound(error)) throw error;
      }
      // An orphaning that is overtaken by another deletion may come out either way.
      if (settles || propagation === "Orphan" || deletions.some((each) => each.propagation === "Orphan")) await clock.advance(5000);
    }
    await clock.advance(10_000);
    const left = (await store.list("Lease")).items;
    assert.deepEqual(left.map((each) => each.metadata.name), [...model.owners.keys()].sort());
    for (const { metadata } of left) {
      assert.deepEqual((metadata.ownerReferences ?? []).map((each) => each.name).sort(), [...model.owners.get(metadata.name)!].sort(), `owners of ${metadata.name}`);
      assert.equal(metadata.deletionTimestamp, undefined);
    }
    await end();
  }), 150);
});
