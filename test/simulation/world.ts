import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { Service } from "../../src/api/service.ts";
import { StatusError } from "../../src/api/status-error.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { instanceId, type Provider } from "../../src/providers/provider.ts";
import { createSimEngine } from "../../src/providers/sim/sim-engine.ts";
import { portHolder } from "../../src/providers/sim/sim-provider.ts";
import type { Reading } from "../../src/sources/source-reader.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { specHashOf } from "../../controllers/workspace/instance-spec.ts";
import { cluster, startControlPlane } from "./control-plane.ts";
import type { Life } from "./faults.ts";
import { SimPlace } from "./sim-place.ts";
import { checkSourceAtRest, makeSource, settleSource, sourceStep } from "./source-story.ts";
import { exitRun, runsInside } from "./sim-supervisors.ts";

const namespace = "default";
const names = ["a", "b", "c", "d"];
const traceLinesKept = 200;
/** Between a crash and the next life. */
const downMs = 700;
/** A controller may act on what was true this long ago: three calls to a slow engine may lie between its look and its act. */
const staleMsMax = 10_000;

export interface SimulationOptions {
  readonly seed: number;
  /** Things a client or bad luck does, one about every two seconds of virtual time. */
  readonly steps: number;
  readonly bend?: ((provider: Provider) => Provider) | undefined;
  /** The same of what the Source's loop reads. */
  readonly bendReading?: ((reading: Reading) => Reading) | undefined;
}

export interface SimulationResult {
  /** Of every line of the trace: the same seed gives the same. */
  readonly traceHash: string;
  readonly crashes: number;
  readonly engineCalls: number;
}

/** Runs a seeded world to its end with its checkers on. @throws AssertionError with the last lines of the trace */
export async function simulate({ seed, steps, bend, bendReading = (reading) => reading }: SimulationOptions): Promise<SimulationResult> {
  const random = seededRandom(seed);
  const clock = createVirtualClock();
  const engine = createSimEngine(clock);
  const store = createMemoryStore({ clock, random });
  const hash = createHash("sha256");
  const lines: string[] = [];
  let violation: string | undefined;
  let active = true;
  let crashes = 0;
  let engineCalls = 0;
  let envs = 0;
  const readySince = new Map<string, number>();

  const trace = (line: string) => {
    const text = `${((clock.now() - startedAt) / 1000).toFixed(3)} ${line}`;
    hash.update(`${text}\n`);
    lines.push(text);
    if (lines.length > traceLinesKept) lines.shift();
  };
  const startedAt = clock.now();
  const violate = (what: string) => {
    violation ??= what;
    trace(`VIOLATION ${what}`);
  };
  const place = new SimPlace(clock, random);
  const chance = (share: number) => random.next() < share;
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random.next() * from.length)];

  // What the checkers know, they know from the store itself.
  const workspaces = async () => (await store.list("Workspace")).items;
  const services = async () => (await store.list("Service")).items;
  const wished = new Map<string, Workspace>();
  const known = new Map<string, Service>();
  const serviceReady = (name: string, now: number) => {
    const service = [...known.values()].find((each) => each.metadata.name === name);
    if (findCondition(service?.status?.conditions, "Ready")?.status === "True") return true;
    return now - (readySince.get(name) ?? -Infinity) <= staleMsMax;
  };

  const follow = async (kind: "Workspace" | "Service") => {
    let last = 0;
    for await (const event of store.watch(kind, {}, new AbortController().signal)) {
      if (event.type === "BOOKMARK") continue;
      const { object } = event;
      const version = Number(object.metadata.resourceVersion);
      if (version <= last) violate(`INV-6: resourceVersion went from ${last} to ${version}`);
      last = version;
      if ((object.status?.observedGeneration ?? 0) > object.metadata.generation) violate(`INV-7: ${object.metadata.name} observed a generation that never was`);
      if (object.kind === "Service") {
        const before = known.get(object.metadata.uid);
        if (findCondition(before?.status?.conditions, "Ready")?.status === "True") readySince.set(object.metadata.name, clock.now());
        if (event.type === "DELETED") known.delete(object.metadata.uid);
        else known.set(object.metadata.uid, object);
        continue;
      }
      if (event.type === "DELETED") wished.delete(object.metadata.uid);
      else wished.set(object.metadata.uid, object);
      checkPorts();
    }
  };
  const checkPorts = () => {
    const holders = new Map<number, string>();
    for (const { metadata, status } of wished.values()) {
      for (const { nodePort } of status?.ports ?? []) {
        const other = holders.get(nodePort);
        if (other !== undefined && other !== metadata.name) violate(`node port ${nodePort} is given to ${other} and to ${metadata.name}`);
        holders.set(nodePort, metadata.name);
      }
    }
  };
  const onChangingCall = (verb: string, id: string) => {
    engineCalls++;
    const instance = engine.instances.get(id);
    if (instance !== undefined && instance.spec.owner.cluster !== cluster) violate(`INV-4: ${verb} of ${id}, which is not ours`);
    const owner = [...wished.values()].find((each) => instanceId({ cluster, uid: each.metadata.uid }) === id);
    const asWished = instance?.state === "running" && owner?.spec.state === "Running" && owner.metadata.deletionTimestamp === undefined && instance.spec.specHash === specHashOf(owner, {});
    if (asWished && (verb === "stop" || verb === "destroy")) violate(`INV-5: ${verb} of ${id}, which is as wished`);
  };
  const checkUids = () => {
    const uids = [...engine.instances.values()].filter((each) => each.state === "running").map(({ spec }) => `${spec.owner.cluster}/${spec.owner.uid}`);
    if (new Set(uids).size < uids.length) violate("INV-3: two live instances of one uid");
  };
  engine.onChange(checkUids);

  let life: Life;
  const start = () => {
    life = startControlPlane({
      store, engine, clock, random, trace, onChangingCall, bend,
      source: {
        read: () => bendReading(place.read()),
        onHint: (listener) => place.onHint(listener),
        onPrune: (object) => {
          if (!place.lacked(object, staleMsMax)) violate(`INV-5: the Source prunes ${object}, which no set lacked`);
        },
      },
      active: () => active,
      onStart: ({ service: uid }) => {
        const service = known.get(uid);
        for (const { name } of service?.spec.dependsOn ?? []) if (!serviceReady(name, clock.now())) violate(`${service!.metadata.name} was started while ${name}, which it depends on, is not Ready`);
      },
      onCrash: () => {
        crashes++;
        clock.after(downMs, start);
      },
    });
  };

  await makeNode(store);
  await makeSource(store);
  engine.make("vendetta-other-1", strangerSpec);
  engine.start("vendetta-other-1");
  void follow("Workspace");
  void follow("Service");
  start();

  /** A client's write may meet another's, or what is not there: that is an answer too. */
  const write = async (what: string, ask: () => Promise<unknown>) => {
    try {
      await ask();
      trace(what);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      trace(`${what}: ${error.reason}`);
    }
  };
  const step = async () => {
    const name = pick(names)!;
    const ref = { namespace, name };
    const ours = [...engine.instances.keys()].filter((id) => id.startsWith(`vendetta-${cluster}-`)).sort();
    const instance = pick(ours);
    switch (Math.floor(random.next() * 13)) {
      case 0:
      case 1:
        return await write(`client creates workspace ${name}`, () => store.create("Workspace", workspace(name)));
      case 2:
        return await write(`client creates service ${name}`, () => store.create("Service", service(name, pick(names)!, chance(0.6) ? pick(names.filter((each) => each < name)) : undefined)));
      case 3:
        return await write(`client changes workspace ${name}`, () => store.patch("Workspace", ref, { type: "merge", patch: { spec: { env: { ROUND: String(++envs) } } } }));
      case 4:
        return await write(`client changes service ${name}`, () => store.patch("Service", ref, { type: "merge", patch: { spec: { env: { ROUND: String(++envs) } } } }));
      case 5:
        return await write(`client switches workspace ${name}`, () => store.patch("Workspace", ref, { type: "merge", patch: { spec: { state: chance(0.4) ? "Stopped" : "Running" } } }));
      case 6:
        return await write(`client deletes ${chance(0.5) ? "workspace" : "service"} ${name}`, () => store.delete(chance(0.5) ? "Workspace" : "Service", ref));
      case 7:
        if (instance === undefined) return;
        trace(`somebody removes ${instance}`);
        return engine.remove(instance);
      case 8: {
        if (instance === undefined) return;
        const run = pick([...runsInside(engine, instance).keys()]);
        if (run === undefined) return void (trace(`somebody stops ${instance}`), engine.stop(instance));
        trace(`${run} exits`);
        return exitRun(engine, clock, instance, run, chance(0.5) ? 1 : 137);
      }
      case 9:
      case 10:
      case 11:
        return await sourceStep({ store, place, random, trace, write });
      default:
        if (engine.down) return;
        trace("the engine goes down");
        engine.down = true;
        clock.after(1000 + random.next() * 20_000, () => {
          trace("the engine is back");
          engine.down = false;
        });
    }
  };

  const advance = async (ms: number) => {
    await clock.advance(ms);
    if (violation !== undefined) assert.fail(`${violation}\n${lines.join("\n")}`);
  };
  for (let i = 0; i < steps; i++) {
    await step();
    await advance(200 + random.next() * 4000);
  }

  active = false;
  await advance(25_000);
  engine.down = false;
  await settleSource(store, place, () => advance(16_000));
  await advance(240_000);
  const check = (holds: boolean, what: string) => {
    if (!holds) assert.fail(`at rest: ${what}\n${lines.join("\n")}`);
  };
  const all = await workspaces();
  const uids = new Set(all.map((each) => each.metadata.uid));
  for (const each of all) {
    const stopped = each.spec.state === "Stopped";
    const there = engine.instances.get(instanceId({ cluster, uid: each.metadata.uid }));
    check(each.metadata.deletionTimestamp === undefined, `workspace ${each.metadata.name} is still being deleted`);
    check(each.status?.phase === (stopped ? "Stopped" : "Running"), `workspace ${each.metadata.name} is ${each.status?.phase}, ${JSON.stringify(each.status?.conditions)}`);
    check(stopped ? there?.state !== "running" : there?.state === "running" && there.spec.specHash === specHashOf(each, {}), `the instance of ${each.metadata.name} is ${there?.state}`);
  }
  for (const { spec } of engine.instances.values()) check(spec.owner.cluster !== cluster || uids.has(spec.owner.uid), `the instance of ${spec.owner.name} is an orphan`);
  check(engine.instances.get("vendetta-other-1")?.state === "running", "a stranger's instance was touched");
  check([...engine.instances.values()].every(({ spec, state }) => state !== "running" || spec.ports.every(({ nodePort }) => portHolder(engine, nodePort) !== undefined)), "a port leads nowhere");
  const allServices = await services();
  const byName = new Map(allServices.map((each) => [each.metadata.name, each]));
  const hasPlace = (each: Service) => all.some(({ metadata, spec }) => metadata.name === each.spec.workspace && spec.state === "Running");
  const canRun = (each: Service): boolean => hasPlace(each) && each.spec.dependsOn.every(({ name }) => byName.has(name) && canRun(byName.get(name)!));
  for (const each of allServices) {
    check(each.metadata.deletionTimestamp === undefined, `service ${each.metadata.name} is still being deleted`);
    const ready = findCondition(each.status?.conditions, "Ready")?.status === "True";
    // What runs already goes on when a dependency goes.
    check(canRun(each) ? ready : !ready || hasPlace(each), `service ${each.metadata.name} is ${ready ? "" : "not "}Ready (${each.status?.phase}): ${JSON.stringify(each.spec.dependsOn)} ${findCondition(each.status?.conditions, "Ready")?.message}`);
  }
  await checkSourceAtRest(store, place, check);
  const [calls, version] = [engineCalls, (await store.list("Workspace")).resourceVersion];
  await advance(60_000);
  check(engineCalls === calls, `INV-10: ${engineCalls - calls} calls in a minute of rest`);
  check((await store.list("Workspace")).resourceVersion === version, "INV-10: something was written in a minute of rest");
  life!.alive = false;
  return { traceHash: hash.digest("hex"), crashes, engineCalls };
}

const workspace = (name: string) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { namespace, name }, spec: { provider: "docker", image: "sim", ports: [{ port: 80 }] } }) as never;
const service = (name: string, workspaceName: string, dependency: string | undefined) => ({
  apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { namespace, name },
  spec: { workspace: workspaceName, command: ["run"], port: 1000 + name.charCodeAt(0), dependsOn: dependency === undefined ? [] : [{ name: dependency }] },
}) as never;

const strangerSpec = {
  owner: { cluster: "other", uid: "1", namespace, name: "stranger" }, generation: 1, specHash: "h", hostname: "s", image: "sim", imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [],
  resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: {},
} as const;

/** The one Node of the world, Ready. */
export async function makeNode(store: Store): Promise<void> {
  const node = await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "sim" }, spec: { local: {} } } as never);
  await store.updateStatus("Node", { ...node, status: { conditions: [{ type: "Ready", status: "True", reason: "Probed", message: "simulated", lastTransitionTime: "2026-01-01T00:00:00Z" }], providers: [{ name: "docker", usable: true, version: "sim" }] } } as never);
}
