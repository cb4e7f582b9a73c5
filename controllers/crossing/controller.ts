import type { Duplex } from "node:stream";
import { messageOf } from "../../src/base/errors.ts";
import { keyOf, parseKey, type Key } from "../../src/base/keys.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import { requeue, settled, type Outcome, type Reconciler } from "../../src/runtime/reconciler.ts";
import type { EventRecorder } from "../../src/runtime/recorder.ts";
import type { Machine, Machines } from "../machines.ts";
import { whyUnknown } from "../node/why-unknown.ts";
import type { Forwards } from "../workspace/forwards.ts";
import type { Crossings, CrossingState } from "./crossings.ts";
import { wishedCrossings } from "./plan.ts";

export interface CrossingControllerParts {
  readonly nodes: Lister<"Node">;
  /** With the index "node". */
  readonly workspaces: Lister<"Workspace">;
  /** With the indexes "workspace" and "dependency". */
  readonly services: Lister<"Service">;
  readonly machines: Machines;
  /** By the Node's name. One that ends by itself must wake this loop for that Node. */
  readonly forwards: Forwards;
  /** Connects to a node port: all are the server's machine's, whichever Node they lead to. */
  readonly dial: (nodePort: number, signal: AbortSignal) => Promise<Duplex>;
  readonly recorder: EventRecorder;
  /** Told of Services for which a way has come up or gone. */
  readonly onChange: (services: readonly Service[]) => void;
}

/** What is in the way may go without a word to us: another program's port, a connection that is only half gone. */
const retryMs = 3000;

type Wished = ReadonlyMap<number, readonly Service[]>;

const notYet: CrossingState = { kind: "down", message: "nothing leads there yet" };

/** Keeps the crossings of every Node over SSH as its Services need them. */
export function createCrossingReconciler(parts: CrossingControllerParts): Reconciler & Crossings {
  const { nodes, workspaces, services, machines, forwards, recorder, onChange } = parts;
  const known = new Map<string, ReadonlyMap<number, CrossingState>>();
  const stateOf = (nodeName: string, nodePort: number) => known.get(nodeName)?.get(nodePort) ?? notYet;

  /** Answers what was not so before. */
  const note = (nodeName: string, wished: Wished, state: (nodePort: number) => CrossingState): readonly (readonly [nodePort: number, now: CrossingState])[] => {
    const next = new Map([...wished.keys()].map((nodePort) => [nodePort, state(nodePort)] as const));
    const changed = [...next].filter(([nodePort, now]) => textOf(now) !== textOf(stateOf(nodeName, nodePort)));
    known.set(nodeName, next);
    if (next.size === 0) known.delete(nodeName);
    onChange([...new Set(changed.flatMap(([nodePort]) => wished.get(nodePort)!))]);
    return changed;
  };

  const keepUp = async (machine: Machine, nodeName: string, wished: Wished, signal: AbortSignal): Promise<ReadonlyMap<number, string>> => {
    try {
      // Node ports are there already.
      const needed = (await machine.remote?.sharesLoopback(signal)) === true ? [] : [...wished.keys()];
      return await forwards.sync(nodeName, needed.map((nodePort) => ({ nodePort, dial: (stop: AbortSignal) => parts.dial(nodePort, stop), on: machine.transport })));
    } catch (error) {
      if (signal.aborted) throw error;
      return new Map([...wished.keys()].map((nodePort) => [nodePort, messageOf(error)]));
    }
  };

  /** Nodes on which Services of this Workspace run, or depend on one of it. */
  const touchedBy = ({ metadata, status }: Workspace): string[] => {
    const ofIts = services.byIndex("workspace", keyOf(metadata)).flatMap(touchedByService);
    return status?.nodeName === undefined ? ofIts : [status.nodeName, ...ofIts];
  };
  const touchedByService = (service: Service): string[] =>
    [service, ...services.byIndex("dependency", keyOf(service))].flatMap(({ metadata: { namespace }, spec }) => workspaces.get({ namespace, name: spec.workspace })?.status?.nodeName ?? []);
  const asKeys = (names: readonly string[]): Key[] => [...new Set(names)].filter((name) => nodes.get({ name })?.spec.ssh !== undefined).map((name) => keyOf({ name }));

  return {
    state: stateOf,
    kind: "Node",
    name: "crossing-controller",
    watches: [
      { kind: "Node" },
      { kind: "Workspace", keys: (workspace: Workspace) => asKeys(touchedBy(workspace)) },
      { kind: "Service", keys: (service: Service) => asKeys(touchedByService(service)) },
    ],
    async reconcile(key, signal): Promise<Outcome> {
      const node = nodes.byKey(key);
      const { name } = parseKey(key);
      const wished = node?.spec.ssh === undefined ? (new Map() satisfies Wished) : wishedCrossings(name, parts);
      if (node === undefined || wished.size === 0) {
        await forwards.sync(name, []);
        note(name, wished, () => notYet);
        return settled;
      }
      if (whyUnknown(node) !== undefined) {
        // Whatever led on from there ended with the connection; the Node's own change wakes this loop again.
        note(name, wished, () => ({ kind: "down", message: `Node "${name}" cannot be asked` }));
        return settled;
      }
      const machine = machines.of(node);
      const refused = await keepUp(machine, name, wished, signal);
      for (const [nodePort, now] of note(name, wished, (each) => (refused.has(each) ? { kind: "down", message: refused.get(each)! } : { kind: "up" }))) {
        // That there is no connection at all is the Node's to tell.
        if (now.kind === "up" || machine.remote?.state.trouble !== undefined) continue;
        for (const service of wished.get(nodePort)!) recorder.event(service, "Warning", "NoWay", `node port ${nodePort} does not lead on from Node "${name}": ${now.message}`);
      }
      return refused.size === 0 ? settled : requeue(retryMs);
    },
  };
}

const textOf = (state: CrossingState) => (state.kind === "up" ? "" : state.message);
