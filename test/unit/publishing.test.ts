import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ProviderError } from "../../src/providers/provider.ts";
import { placingWorld } from "../harness/placing-world.ts";

type World = Awaited<ReturnType<typeof placingWorld>>;
const ref = { namespace: "default", name: "dev" };

describe("an engine that can publish ports while an instance runs", () => {
  let world: World;
  beforeEach(async () => {
    world = await placingWorld(["a"], { parts: ["publish"] });
    await world.create("dev");
    await world.clock.advance(1000);
  });
  afterEach(() => world.end());

  const instance = () => [...world.engines.get("a")!.instances.values()][0]!;
  const serve = async (name: string, port: number) => {
    await world.store.create("Service", { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace: "default", finalizers: ["vendetta.dev/service"] }, spec: { workspace: "dev", command: ["x"], port } } as never);
    await world.clock.advance(1000);
  };
  const ports = async () => (await world.workspace("dev")).status?.ports ?? [];
  const published = () => instance().ports.map(({ port, nodePort }) => ({ port, nodePort, via: "Engine" }));
  const told = (what: RegExp) => world.events.filter((each) => what.test(each));

  it("is told of each that comes, changes or goes, and what runs does not notice", async () => {
    const { startId } = instance();
    assert.deepEqual(published(), []);
    await serve("web", 80);
    await serve("api", 81);
    assert.deepEqual((await ports()).map(({ port, via }) => [port, via]), [[80, "Engine"], [81, "Engine"]]);
    assert.deepEqual(published(), await ports());
    await world.store.patch("Workspace", ref, { type: "merge", patch: { spec: { ports: [{ port: 80, nodePort: 28080 }] } } });
    await world.clock.advance(1000);
    assert.deepEqual(published(), await ports());
    assert.equal((await ports())[0]!.nodePort, 28080);
    assert.match(told(/^PortMoved/).join("\n"), /port 80 no longer answers on node port \d+: 28080 from now on/);
    await world.store.delete("Service", { namespace: "default", name: "api" });
    await world.clock.advance(1000);
    assert.deepEqual(published(), [{ port: 80, nodePort: 28080, via: "Engine" }]);
    assert.deepEqual([instance().startId, told(/^(Created|Recreating)/).length], [startId, 1]);
  });

  it("moves a port that somebody took between the choice and the publishing", async () => {
    const provider = world.providers.get("a")!;
    const publish = provider.publish!.bind(provider);
    let taken: number | undefined;
    provider.publish = (id, wanted, signal) => {
      taken ??= wanted[0]!.nodePort;
      world.takenPorts.add(taken);
      return wanted.some(({ nodePort }) => nodePort === taken) ? Promise.reject(new ProviderError("PortInUse", `node port ${taken} is in use`, true)) : publish(id, wanted, signal);
    };
    await serve("web", 80);
    await world.clock.advance(5000);
    assert.deepEqual(published(), await ports());
    assert.notEqual((await ports())[0]!.nodePort, taken);
    assert.match(told(/^PortMoved/).join("\n"), new RegExp(`port 80 loses node port ${taken} and gets another one: node port ${taken} is in use`));
    assert.equal((await world.workspace("dev")).status?.phase, "Running");
  });
});

describe("a port that was taken while its instance did not run", () => {
  for (const parts of [["withdraw"], ["withdraw", "publish"]] as const) {
    it(`is taken away from it and another one is chosen; the instance and its disk stay (${parts.join(", ")})`, async () => {
      const world = await placingWorld(["a"], { parts });
      try {
        await world.create("dev");
        await world.store.create("Service", { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "web", namespace: "default" }, spec: { workspace: "dev", command: ["x"], port: 80 } } as never);
        await world.clock.advance(1000);
        await world.store.patch("Workspace", ref, { type: "merge", patch: { metadata: { annotations: { "vendetta.dev/recreation": "1" } } } });
        await world.clock.advance(5000);
        const instance = () => [...world.engines.get("a")!.instances.values()][0]!;
        const before = (await world.workspace("dev")).status!.ports![0]!;
        await world.store.patch("Workspace", ref, { type: "merge", patch: { spec: { state: "Stopped" } } });
        await world.clock.advance(1000);
        assert.equal(instance().state, "stopped");
        instance().disk = "of its own";
        world.takenPorts.add(before.nodePort);
        const provider = world.providers.get("a")!;
        const start = provider.start.bind(provider);
        provider.start = (id, signal) => {
          const stolen = instance().ports.find(({ nodePort }) => world.takenPorts.has(nodePort));
          return stolen === undefined ? start(id, signal) : Promise.reject(new ProviderError("PortInUse", `node port ${stolen.nodePort} is in use`, true));
        };
        await world.store.patch("Workspace", ref, { type: "merge", patch: { spec: { state: "Running" } } });
        await world.clock.advance(5000);
        const { status } = await world.workspace("dev");
        const [port] = status!.ports!;
        assert.deepEqual([status!.phase, instance().disk, status!.ports!.length], ["Running", "of its own", 1]);
        assert.ok(port!.nodePort !== before.nodePort);
        assert.equal(port!.via, instance().ports.length === 0 ? "Forward" : "Engine");
        assert.match(world.events.join("\n"), new RegExp(`PortMoved: port 80 loses node port ${before.nodePort} and gets another one: node port ${before.nodePort} is in use`));
      } finally {
        await world.end();
      }
    });
  }
});
