import { sleep, timeoutSignal, type Clock } from "../src/base/clock.ts";
import { messageOf } from "../src/base/errors.ts";
import { createFlag, type Flag } from "../src/base/flag.ts";
import { keyOf, type Key } from "../src/base/keys.ts";
import type { Logger } from "../src/base/log.ts";
import type { Node } from "../src/api/node.ts";
import type { Workspace } from "../src/api/workspace.ts";
import { instanceId, type Instance, type Provider } from "../src/providers/provider.ts";
import type { Lister } from "../src/runtime/lister.ts";
import type { EventRecorder } from "../src/runtime/recorder.ts";
import type { Runnable } from "../src/runtime/runnable.ts";
import type { Store } from "../src/store/store.ts";
import type { Machines } from "./machines.ts";
import type { FoundOrphans } from "./orphan/found-orphans.ts";
import { isStray, planOrphans } from "./orphan/plan.ts";

export interface EngineWatchParts {
  readonly cluster: string;
  readonly store: Pick<Store, "list">;
  readonly nodes: Lister<"Node">;
  /** With the indexes "uid" and "node". */
  readonly workspaces: Lister<"Workspace">;
  readonly machines: Machines;
  readonly orphans: Pick<FoundOrphans, "found">;
  readonly recorder: EventRecorder;
  /** Wakes the Workspace loop. */
  readonly wake: (key: Key) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The truth is listed this often, whatever events said. One listing an engine, not one look a Workspace: a thousand idle ones stay cheap. */
const listIntervalMs = 10_000;
const listTimeoutMs = 15_000;
const eventsRetryMs = 2_000;
/** A stream of events that held so long says by its end that something is the matter. One that never holds must not have its engine listed all the time. */
const heldMsMin = 10_000;

/**
 * Tells the Workspace loop which instances to look at: by the engines' events at once, by listing in any case. Finds
 * instances of this cluster that nobody owns, and removes them after a grace.
 */
export function createEngineWatch(parts: EngineWatchParts): Runnable {
  const { clock, log, nodes } = parts;
  return {
    name: "engine-watch",
    phase: "sources",
    async run(signal, ready) {
      ready();
      const watched = new Map<Provider, { readonly abort: AbortController; readonly done: Promise<void> }>();
      const follow = (node: Node, provider: Provider) => {
        const abort = new AbortController();
        const both = AbortSignal.any([signal, abort.signal]);
        const answers = createFlag();
        const broke = createFlag();
        const loops = [listLoop(parts, node.metadata.name, provider, { answers, broke }, both), eventLoop(parts, provider, { answers, broke }, both)];
        const done = Promise.all(loops.map((loop) => loop.catch((error: unknown) => {
          if (!both.aborted) log.error("engine watch ended", { node: node.metadata.name, provider: provider.name, error: messageOf(error) });
        }))).then(() => {});
        watched.set(provider, { abort, done });
      };
      try {
        for (;;) {
          const current = new Map(nodes.list().flatMap((node) => parts.machines.of(node).providers.map((provider) => [provider, node] as const)));
          for (const [provider, node] of current) if (!watched.has(provider)) follow(node, provider);
          for (const [provider, { abort }] of watched) {
            if (current.has(provider)) continue;
            abort.abort();
            watched.delete(provider);
          }
          await sleep(clock, 1000, signal);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        for (const { abort } of watched.values()) abort.abort();
        await Promise.all([...watched.values()].map((each) => each.done));
      }
    },
  };
}

function wakeByUid(parts: EngineWatchParts, uid: string): void {
  for (const workspace of parts.workspaces.byIndex("uid", uid)) parts.wake(keyOf(workspace));
}

function placedOn({ workspaces }: EngineWatchParts, nodeName: string, provider: Provider): readonly Workspace[] {
  return workspaces.byIndex("node", nodeName).filter(({ spec }) => spec.provider === provider.name);
}

/** What the two loops of an engine tell each other. */
interface Listening {
  readonly answers: Flag;
  /** The stream of events held, and then it broke. */
  readonly broke: Flag;
}

/** An engine that cannot be listed has no events: only the listing knocks on one that is not there, most Nodes having some. */
async function eventLoop(parts: EngineWatchParts, provider: Provider, { answers, broke }: Listening, signal: AbortSignal): Promise<void> {
  if (provider.events === undefined) return;
  const prefix = `vendetta-${parts.cluster}-`;
  while (!signal.aborted) {
    await answers.raised(signal);
    const begun = parts.clock.monotonic();
    try {
      for await (const id of provider.events(parts.cluster, signal)) if (id.startsWith(prefix)) wakeByUid(parts, id.slice(prefix.length));
    } catch (error) {
      if (!signal.aborted) parts.log.debug("engine events broke off", { provider: provider.name, error: messageOf(error) });
    }
    if (parts.clock.monotonic() - begun >= heldMsMin) broke.set(true);
    if (!signal.aborted) await sleep(parts.clock, eventsRetryMs, signal);
  }
}

async function listLoop(parts: EngineWatchParts, nodeName: string, provider: Provider, { answers, broke }: Listening, signal: AbortSignal): Promise<void> {
  let known: ReadonlyMap<string, string> | undefined;
  let orphansSince: ReadonlyMap<string, number> = new Map();
  let failing = false;
  for (;;) {
    const placedBefore = placedOn(parts, nodeName, provider).map(({ metadata }) => metadata.uid);
    const listed = isNobodys(parts, nodeName, provider) ? undefined : await list(parts, provider, signal);
    answers.set(listed !== undefined);
    if (listed === undefined) {
      // Whoever believed this engine to be well should look for itself; nothing is concluded from silence (INV-5).
      if (!failing) for (const workspace of placedOn(parts, nodeName, provider)) parts.wake(keyOf(workspace));
      failing = true;
    } else {
      const now = new Map(listed.map((instance) => [instance.owner.uid, `${instance.id} ${instance.state} ${instance.startId} ${instance.specHash}`]));
      // After a silence everybody is looked at: an instance that went meanwhile is in no list, the first one after it included.
      const before = failing || known === undefined ? placedOn(parts, nodeName, provider).map(({ metadata }) => metadata.uid) : known.keys();
      for (const uid of new Set([...now.keys(), ...before])) if (failing || now.get(uid) !== known?.get(uid) || !now.has(uid)) wakeByUid(parts, uid);
      known = now;
      failing = false;
      orphansSince = await lookForOrphans(parts, nodeName, provider, { listed, placedBefore, since: orphansSince }, signal);
    }
    await nextTurn(parts.clock, broke, signal);
  }
}

async function nextTurn(clock: Clock, broke: Flag, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  try {
    await Promise.race([sleep(clock, listIntervalMs, either), broke.raised(either)]);
  } finally {
    over.abort(new Error("it is time"));
    broke.set(false);
  }
}

/** The Node's own probe found no such engine, and nothing is placed there: one knock a round is enough. */
function isNobodys(parts: EngineWatchParts, nodeName: string, provider: Provider): boolean {
  const probed = parts.nodes.get({ name: nodeName })?.status?.providers?.find(({ name }) => name === provider.name);
  return probed?.usable === false && placedOn(parts, nodeName, provider).length === 0;
}

async function list(parts: EngineWatchParts, provider: Provider, signal: AbortSignal): Promise<readonly Instance[] | undefined> {
  using bound = timeoutSignal(parts.clock, listTimeoutMs, `listing instances of ${provider.name}`, signal);
  try {
    return await provider.list(parts.cluster, bound.signal);
  } catch (error) {
    if (signal.aborted) throw error;
    parts.log.debug("listing failed", { provider: provider.name, error: messageOf(error) });
    return undefined;
  }
}

interface OrphanSearch {
  readonly listed: readonly Instance[];
  /** Uids of the Workspaces that were on the Node when the listing began: a far machine takes its time, and they may have gone meanwhile. */
  readonly placedBefore: readonly string[];
  readonly since: ReadonlyMap<string, number>;
}

/** Uids of those whose instance here is a stray. Each is asked about itself, as a listing may tell of no start: it may be the very instance that is in use, and two Nodes of one engine (INV-5). */
async function straysAmong({ clock, log }: EngineWatchParts, nodeName: string, provider: Provider, listed: readonly Instance[], owners: ReadonlyMap<string, Workspace>, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const strays = new Set<string>();
  for (const instance of listed) {
    const workspace = owners.get(instance.owner.uid);
    if (workspace === undefined || !isStray(workspace, nodeName, instance)) continue;
    try {
      using bound = timeoutSignal(clock, listTimeoutMs, `looking at ${instance.id}`, signal);
      const found = await provider.inspect(instance.id, bound.signal);
      if (found !== undefined && isStray(workspace, nodeName, found)) strays.add(instance.owner.uid);
    } catch (error) {
      if (signal.aborted) throw error;
      log.debug("cannot look at what may be a stray", { instance: instance.id, error: messageOf(error) });
    }
  }
  return strays;
}

async function lookForOrphans(parts: EngineWatchParts, nodeName: string, provider: Provider, { listed, placedBefore, since }: OrphanSearch, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const { clock, log, recorder, store } = parts;
  // Asked only when the cache knows no owner: the store itself decides.
  if (listed.every((instance) => instance.id === instanceId(instance.owner) && parts.workspaces.byIndex("uid", instance.owner.uid).some((each) => !isStray(each, nodeName, instance)))) {
    parts.orphans.found(nodeName, provider.name, []);
    return new Map();
  }
  const owners = new Map((await store.list("Workspace")).items.map((each) => [each.metadata.uid, each]));
  const strays = await straysAmong(parts, nodeName, provider, listed, owners, signal);
  const owned = new Set([...placedBefore, ...owners.keys()].filter((uid) => !strays.has(uid)));
  const plan = planOrphans(listed, owned, since, clock.now());
  const gone = new Set<string>();
  for (const instance of plan.remove) {
    try {
      using bound = timeoutSignal(clock, listTimeoutMs, `removing ${instance.id}`, signal);
      // Volumes stay: whoever lost the Workspace object may still want what it kept.
      await provider.destroy(instance.id, { volumes: false, owner: instance.owner }, bound.signal);
      gone.add(instance.id);
      const node = parts.nodes.get({ name: nodeName });
      if (node !== undefined) recorder.event(node, "Warning", "OrphanRemoved", `removed ${instance.id}, made for Workspace "${instance.owner.namespace}/${instance.owner.name}", ${strays.has(instance.owner.uid) ? "which runs on another Node now" : owned.has(instance.owner.uid) ? "whose instance has another name" : "which no longer exists"}`);
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn("cannot remove an orphan", { instance: instance.id, error: messageOf(error) });
    }
  }
  parts.orphans.found(nodeName, provider.name, listed.flatMap(({ id, owner: { namespace, name } }) => {
    const firstSeen = plan.since.get(id);
    return firstSeen === undefined || gone.has(id) ? [] : [{ provider: provider.name, instanceId: id, namespace, name, firstSeen }];
  }));
  return plan.since;
}
