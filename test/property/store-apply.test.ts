import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareValues } from "../../src/api/apply/compare-values.ts";
import { difference, pathsOf, union } from "../../src/api/apply/field-set.ts";
import { mergeSchemaOf } from "../../src/api/apply/kind-merge-schema.ts";
import { managedPart } from "../../src/api/apply/managed-part.ts";
import { decodeManagers } from "../../src/api/apply/managers.ts";
import { pathText } from "../../src/api/apply/path-element.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { isConflict, isInvalid, isNotFound } from "../../src/api/status-error.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { checkAsync } from "./check.ts";

// Whole stores: what zod fills in, normalizes and leaves out meets who owns what.

const apiVersion = "vendetta.dev/v1alpha1";
const ref = { namespace: "default", name: "w" };
const schema = mergeSchemaOf("Workspace");

const entries = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2"), { maxKeys: 3, noNullPrototype: true });
const spec = fc.record(
  {
    image: fc.constantFrom("node:20", "node:22"),
    env: entries,
    mounts: fc.uniqueArray(fc.record({ path: fc.constantFrom("/a", "/b", "/c"), volume: fc.constantFrom("x", "y"), readOnly: fc.boolean() }, { requiredKeys: ["path", "volume"], noNullPrototype: true }), { maxLength: 3, selector: ({ path }) => path }),
    ports: fc.uniqueArray(fc.record({ port: fc.constantFrom(1, 2, 3) }, { noNullPrototype: true }), { maxLength: 3, selector: ({ port }) => port }),
    resources: fc.record({ cpu: fc.constantFrom<string | number>(2, "2", "250m"), pids: fc.constantFrom(1, 2) }, { requiredKeys: [], noNullPrototype: true }),
    tolerations: fc.array(fc.record({ key: fc.constantFrom("k", "l") }, { noNullPrototype: true }), { maxLength: 2 }),
    nodeSelector: entries,
    state: fc.constantFrom("Running", "Stopped"),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const metadata = fc.record({ labels: entries, annotations: entries, finalizers: fc.uniqueArray(fc.constantFrom("x/a", "x/b"), { maxLength: 2 }) }, { requiredKeys: [], noNullPrototype: true });
const wish = fc.record({ spec, metadata }).map((each) => ({ apiVersion, kind: "Workspace", metadata: { ...each.metadata, ...ref }, spec: { provider: "docker", ...each.spec } }));
const turn = fc.record({ how: fc.constantFrom("apply", "force", "merge", "update", "status"), who: fc.constantFrom("m1", "m2", "m3"), wish });

test("in any order of applies and updates: every owned field is there, applying again changes nothing, and nothing is owned twice by one", () =>
  checkAsync(fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 8 }), async (turns) => {
    const clock = createVirtualClock();
    const store = createMemoryStore({ clock, random: seededRandom(1) });
    for (const { how, who: fieldManager, wish: configuration } of turns) {
      const { spec: wanted, metadata: { name: _name, namespace: _namespace, ...more } } = configuration;
      await clock.advance(1000);
      try {
        if (how === "merge") await store.patch("Workspace", ref, { type: "merge", patch: { spec: wanted, metadata: more } }, { fieldManager });
        else if (how === "update") await store.update("Workspace", configuration as never, { fieldManager });
        else if (how === "status") await store.patch("Workspace", ref, { type: "apply", patch: { ...configuration, status: { phase: wanted.state === "Stopped" ? "Stopped" : "Running" } }, force: true }, { fieldManager, subresource: "status" });
        else {
          const patch = { type: "apply", patch: configuration, force: how === "force" } as const;
          const once = await store.patch("Workspace", ref, patch, { fieldManager });
          await clock.advance(1000);
          assert.deepEqual(await store.patch("Workspace", ref, { ...patch, force: false }, { fieldManager }), once);
        }
      } catch (error) {
        // An object without an image is none; there may be none yet; somebody else may be in the way.
        assert.ok(isInvalid(error) || isNotFound(error) || (isConflict(error) && how === "apply"), String((error as Error).stack));
        continue;
      }
      const object = await store.get("Workspace", ref);
      const managers = decodeManagers(object.metadata.managedFields ?? [], apiVersion);
      assert.ok(managers !== undefined && managers.length === (object.metadata.managedFields ?? []).length);
      const there = [undefined, "status" as const].map((subresource) => compareValues(schema, {}, managedPart(object, subresource)).added).reduce(union);
      for (const { name, operation, fields } of managers) assert.deepEqual([...pathsOf(difference(fields, there))].map(pathText), [], `${name} ${operation} owns what is not there`);
    }
  }), 300));
