import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { keyOf } from "../../src/base/keys.ts";
import { createCrossingReconciler } from "../../controllers/crossing/controller.ts";
import type { Machine } from "../../controllers/machines.ts";
import { serviceIndexes } from "../../controllers/service/controller.ts";
import { workspaceIndexes } from "../../controllers/workspace/controller.ts";
import type { Forward } from "../../controllers/workspace/forwards.ts";
import { storedObject } from "../harness/objects.ts";

type Stored = Node | Workspace | Service;

/** A cache of these, with the indexes that the loops use. */
function listerOf<T extends Stored>(objects: readonly T[], indexes: Readonly<Record<string, (object: T) => readonly string[]>> = {}) {
  const get = (key: string) => objects.find((each) => keyOf(each) === key);
  return { get: (ref: Parameters<typeof keyOf>[0]) => get(keyOf(ref)), byKey: get, list: () => objects, byIndex: (index: string, value: string) => objects.filter((each) => indexes[index]!(each).includes(value)) } as never;
}

const workspace = (name: string, nodeName: string, nodePort: number, more: object = {}) =>
  storedObject("Workspace", name, { provider: "host" }, { status: { nodeName, phase: "Running", ports: [{ port: 80, nodePort, via: "Forward" }], ...more } });
const service = (name: string, dependsOn: readonly string[] = []) => storedObject("Service", name, { workspace: `${name}-ws`, command: ["x"], port: 80, dependsOn: dependsOn.map((each) => ({ name: each })) });
const hostKeys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
const far = (ready?: "True" | "Unknown") =>
  storedObject("Node", "far", { ssh: { host: "far", user: "dev", hostKeys } }, { status: { conditions: ready === undefined ? [] : [{ type: "Ready", status: ready, reason: "R", message: "m", lastTransitionTime: "2026-01-01T00:00:00Z" }] } });

/** The loop over a Node "far" with a Service "a" on it that depends on "db" and "own"; "db" is elsewhere. */
function place({ node = far("True"), shares = false, trouble = false, phase = "Running" } = {}) {
  const listening = new Map<string, readonly Forward[]>();
  const refused = new Map<number, string>();
  const events: string[] = [];
  const woken: string[] = [];
  const machine = { transport: { name: "far" }, remote: { sharesLoopback: () => Promise.resolve(shares), state: { trouble: trouble ? { reason: "Unreachable", message: "cut" } : undefined } } } as unknown as Machine;
  const loop = createCrossingReconciler({
    nodes: listerOf([node, storedObject("Node", "here", { local: {} })]),
    workspaces: listerOf([workspace("a-ws", "far", 20001, { phase }), workspace("own-ws", "far", 20002), workspace("db-ws", "here", 20003)], workspaceIndexes),
    services: listerOf([service("a", ["db", "own"]), service("own"), service("db")], serviceIndexes),
    machines: { of: () => machine, release: () => Promise.resolve() },
    forwards: {
      sync(owner, wanted) {
        listening.set(owner, wanted);
        return Promise.resolve(new Map([...refused].filter(([port]) => wanted.some((each) => each.nodePort === port))));
      },
      close: () => Promise.resolve(),
    },
    dial: (nodePort) => Promise.reject(new Error(`dialled ${nodePort}`)),
    recorder: { event: (about, type, reason, message) => void events.push(`${about.metadata.name} ${type} ${reason}: ${message}`) },
    onChange: (services) => void woken.push(...services.map(({ metadata }) => metadata.name)),
  });
  return { loop, listening, refused, events, woken, machine, pass: () => loop.reconcile(keyOf({ name: "far" }), new AbortController().signal), ports: () => listening.get("far")?.map(({ nodePort }) => nodePort) };
}

describe("the loop of crossings", () => {
  it("listens there for what is told of a service elsewhere, carries it to the node port, and wakes who waits for it", async () => {
    const { loop, pass, listening, machine, woken, events } = place();
    assert.equal(loop.state("far", 20003).kind, "down");
    assert.deepEqual(await pass(), { kind: "settled" });
    const [forward, ...others] = listening.get("far")!;
    assert.deepEqual([forward!.nodePort, forward!.on, others.length], [20003, machine.transport, 0]);
    await assert.rejects(forward!.dial(new AbortController().signal), /dialled 20003/);
    assert.deepEqual([loop.state("far", 20003).kind, woken, events], ["up", ["a"], []]);
    await pass();
    assert.deepEqual(woken, ["a"], "nothing has changed");
  });
  it("a port that cannot be had: told once, tried again, and good as soon as it is", async () => {
    const { loop, pass, refused, events, woken } = place();
    refused.set(20003, "somebody has it");
    assert.equal((await pass()).kind, "requeue");
    assert.equal((await pass()).kind, "requeue");
    assert.deepEqual(loop.state("far", 20003), { kind: "down", message: "somebody has it" });
    assert.deepEqual(events, ['a Warning NoWay: node port 20003 does not lead on from Node "far": somebody has it']);
    refused.clear();
    assert.deepEqual([await pass(), loop.state("far", 20003).kind, woken], [{ kind: "settled" }, "up", ["a", "a"]]);
  });
  it("no connection is the Node's to tell", async () => {
    const { pass, refused, events } = place({ trouble: true });
    refused.set(20003, "cut");
    assert.equal((await pass()).kind, "requeue");
    assert.deepEqual(events, []);
    const unknown = place({ node: far("Unknown") });
    assert.deepEqual([await unknown.pass(), unknown.loop.state("far", 20003).kind, unknown.listening.size, unknown.events], [{ kind: "settled" }, "down", 0, []]);
  });
  it("a Node whose loopback address is the server's needs nothing carried", async () => {
    const { loop, pass, ports } = place({ shares: true });
    await pass();
    assert.deepEqual([loop.state("far", 20003).kind, ports()], ["up", []]);
  });
  it("a Workspace that is stopped needs none, one that is being stopped does", async () => {
    const stopped = place({ phase: "Stopped" });
    await stopped.pass();
    assert.deepEqual([stopped.ports(), stopped.loop.state("far", 20003).kind], [[], "down"]);
    const stopping = place({ phase: "Stopping" });
    await stopping.pass();
    assert.deepEqual(stopping.ports(), [20003]);
  });
  it("looks again when what is depended on, or who depends, changes; at no other time", () => {
    const { loop } = place();
    const keys = (kind: string, object: Stored) => loop.watches.find((each) => each.kind === kind)!.keys!(object as never);
    assert.deepEqual(keys("Service", service("a", ["db"])), ["far"]);
    assert.deepEqual(keys("Service", service("db")), ["far"]);
    assert.deepEqual(keys("Workspace", workspace("db-ws", "here", 20003)), ["far"]);
    assert.deepEqual(keys("Workspace", workspace("x-ws", "here", 20009)), []);
  });
});
