import { isDeleting } from "../../src/api/meta.ts";
import type { KindName, KindMap } from "../../src/api/registry.ts";
import { sourceAnnotation } from "../../src/api/annotations.ts";
import type { Source } from "../../src/api/source.ts";
import { keyOf, type Key } from "../../src/base/keys.ts";
import { requeue, settled, type Outcome, type Reconciler } from "../../src/runtime/reconciler.ts";
import { interrupted, unlessUnwanted } from "../../src/runtime/unless-unwanted.ts";
import { createSourceMemory, type SourceMemory } from "./memory.ts";
import type { SourceControllerParts } from "./parts.ts";
import { planOf, SourcePass, type PassEnd } from "./pass.ts";
import type { SourcePlan } from "./steps.ts";
import type { Reading } from "../../src/sources/source-reader.ts";

/** What came of an object is looked at again when it has gone. */
const awaitGoneMs = 300;
/** What could not be read is not watched, either: it is looked for more often. */
const unreadableMs = 2_000;
/** Two passes of one Source begin at least so far apart: many changes at once are one. */
const passGapMs = 100;
/** Who sets again what another writer sets each time waits twice as long after each, up to this; a field may restart a Service. */
const quarrelGapMsMax = 5_000;
/** So long after the last one, a change by hand is no quarrel any more. */
const quarrelMsMax = 60_000;

export interface SourceReconciler extends Reconciler {
  /** What a pass would do now, without doing it. undefined: there is no such Source. */
  preview(name: string, signal: AbortSignal): Promise<SourcePreview | undefined>;
}

export interface SourcePreview {
  readonly source: Source;
  readonly reading: Reading;
  /** Absent when nothing could be read. */
  readonly plan?: SourcePlan;
}

/** Has the cluster follow the manifests of each Source: a pass reads the whole set, plan.ts decides, the pass acts. */
export function createSourceReconciler(parts: SourceControllerParts): SourceReconciler {
  const { sources, reader, clock } = parts;
  const memories = new Map<Key, { readonly uid: string; readonly memory: SourceMemory }>();
  const turns = new Map<Key, Turn>();

  const memoryOf = (key: Key, { metadata: { uid, name } }: Source): SourceMemory => {
    const known = memories.get(key);
    if (known?.uid === uid) return known.memory;
    const memory = createSourceMemory(name);
    memories.set(key, { uid, memory });
    return memory;
  };

  return {
    kind: "Source",
    name: "source-controller",
    watches: [{ kind: "Source" }],
    async reconcile(key, signal): Promise<Outcome> {
      const source = sources.byKey(key);
      if (source === undefined || isDeleting(source)) {
        memories.delete(key);
        turns.delete(key);
        await (source === undefined ? reader.forget(key) : reader.release(key));
        return settled;
      }
      const nowMs = clock.monotonic();
      const turn = turns.get(key);
      const waitMs = turn === undefined ? 0 : turn.begunMs + gapMsAfter(turn) - nowMs;
      if (waitMs > 0) return requeue(waitMs);
      const reverts = turn !== undefined && nowMs - turn.revertedMs < quarrelMsMax ? turn.reverts : 0;
      turns.set(key, { begunMs: nowMs, reverts, revertedMs: turn?.revertedMs ?? -Infinity });
      const pass = new SourcePass(parts, source, memoryOf(key, source));
      if (source.spec.suspend) {
        await reader.release(key);
        await pass.end({ kind: "suspended" });
        return settled;
      }
      let end: PassEnd;
      try {
        end = await unlessUnwanted(clock, () => isAnother(source, sources.byKey(key)), signal, (wanted) => pass.run(wanted));
      } catch (error) {
        // What it did so far is as if it had been cut off: the next pass does the rest, of the spec as it is now.
        if (error === interrupted) return requeue(passGapMs);
        throw error;
      }
      if (pass.hasReverted) turns.set(key, { begunMs: nowMs, reverts: reverts + 1, revertedMs: nowMs });
      const intervalMs = (source.spec.git ?? source.spec.directory)!.intervalSeconds * 1000;
      return requeue(end === "waiting" ? awaitGoneMs : end === "unreadable" ? Math.min(unreadableMs, intervalMs) : intervalMs);
    },
    async preview(name, signal) {
      const source = sources.get({ name });
      if (source === undefined) return undefined;
      const reading = await reader.read(source, { fresh: true, signal });
      if (reading.kind === "unreadable") return { source, reading };
      return { source, reading, plan: await planOf(parts, source, reading, createSourceMemory(name), signal) };
    },
  };
}

/** Whether a pass that began with the first is for nothing: a fetch may take minutes that the spec says not to make any more. */
function isAnother({ metadata: { uid, generation } }: Source, now: Source | undefined): boolean {
  return now === undefined || isDeleting(now) || now.metadata.uid !== uid || now.metadata.generation !== generation;
}

/** The last pass of a Source, and how often it has set again what somebody else had changed, one soon after the other. */
interface Turn {
  readonly begunMs: number;
  readonly reverts: number;
  readonly revertedMs: number;
}

const gapMsAfter = ({ reverts }: Turn) => Math.min(passGapMs * 2 ** Math.max(0, reverts - 1), quarrelGapMsMax);

/** As an informer tells of changes. */
interface Informed<K extends KindName> {
  onChange(listener: (change: { readonly type: "added" | "changed" | "removed"; readonly object: KindMap[K]; readonly old: KindMap[K] | undefined }) => void): void;
}

/** Wakes Sources when somebody has touched what is theirs, or when a name is free that one waits for. Changes of a status wake nobody. */
export function wakeSources({ sources, wake, informers }: { readonly sources: SourceControllerParts["sources"]; readonly wake: (key: Key) => void; readonly informers: { readonly Workspace: Informed<"Workspace">; readonly Service: Informed<"Service">; readonly Node: Informed<"Node">; readonly Namespace: Informed<"Namespace"> } }): void {
  const follow = <K extends "Workspace" | "Service" | "Node">(informer: Informed<K>) =>
    informer.onChange(({ type, object, old }) => {
      if (type === "changed" && old !== undefined && !isWritten(old, object)) return;
      for (const name of new Set([object, old].map((each) => each?.metadata.annotations?.[sourceAnnotation]))) if (name !== undefined) wake(keyOf({ name }));
    });
  follow(informers.Workspace);
  follow(informers.Service);
  follow(informers.Node);
  informers.Namespace.onChange(({ type }) => {
    if (type === "removed") for (const source of sources.list()) wake(keyOf(source));
  });
}

function isWritten(old: { readonly metadata: Source["metadata"]; readonly spec: unknown }, now: { readonly metadata: Source["metadata"]; readonly spec: unknown }): boolean {
  const parts = ({ metadata: { labels, annotations, managedFields, deletionTimestamp }, spec }: typeof old) => [labels, annotations, managedFields, deletionTimestamp, spec];
  const before = parts(old);
  return parts(now).some((part, i) => part !== before[i]);
}
