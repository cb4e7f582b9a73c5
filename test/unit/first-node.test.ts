import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Node } from "../../src/api/node.ts";
import { systemClock } from "../../src/base/system.ts";
import { seededRandom } from "../../src/base/random.ts";
import { registerLocalNode } from "../../src/compose/first-node.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";

const storeWith = async (...nodes: readonly object[]) => {
  const store = createMemoryStore({ clock: systemClock, random: seededRandom(1) });
  for (const node of nodes) await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", ...node } as unknown as Node);
  return store;
};
const far = { metadata: { name: "far" }, spec: { ssh: { host: "10.0.0.5", port: 22, user: "dev", hostKeys: [`ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("ssh-ed25519"), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, 1)]).toString("base64")}`] } } };

describe("registerLocalNode", () => {
  it("makes a Node of this machine beside those of others, once, with the label to select it by", async () => {
    const store = await storeWith(far);
    for (let i = 0; i < 2; i++) await registerLocalNode(store, { DOCKER_HOST: "unix:///srv/docker.sock" });
    const { items } = await store.list("Node");
    assert.deepEqual(items.map(({ metadata, spec }) => [metadata.labels, spec.providers.docker?.socketPath]).sort(), [[undefined, undefined], [{ "vendetta.dev/local": "true" }, "/srv/docker.sock"]].sort());
  });
  it("labels the one that an earlier version made, and leaves the rest of it", async () => {
    const store = await storeWith({ metadata: { name: "mine", labels: { disk: "fast" } }, spec: { local: {}, unschedulable: true } });
    for (let i = 0; i < 2; i++) await registerLocalNode(store, {});
    const { items } = await store.list("Node");
    assert.deepEqual(items.map(({ metadata, spec }) => [metadata.name, metadata.labels, spec.unschedulable]), [["mine", { disk: "fast", "vendetta.dev/local": "true" }, true]]);
  });
  it("sets a label right that an earlier version let pass", async () => {
    const store = await storeWith({ metadata: { name: "mine" }, spec: { local: {} } });
    const list = await store.list("Node");
    const odd = list.items.map((node) => ({ ...node, metadata: { ...node.metadata, labels: { "vendetta.dev/local": "no" } } }));
    const listOdd = (() => Promise.resolve({ ...list, items: odd })) as unknown as typeof store.list;
    await registerLocalNode({ list: listOdd, create: store.create.bind(store), patch: store.patch.bind(store) }, {});
    assert.deepEqual((await store.get("Node", { name: "mine" })).metadata.labels, { "vendetta.dev/local": "true" });
  });
});
