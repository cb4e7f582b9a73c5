import type { Namespace } from "../../src/api/namespace.ts";
import { isKindName, type AnyObject } from "../../src/api/registry.ts";
import type { Source } from "../../src/api/source.ts";
import { orNone } from "../../src/api/status-error.ts";
import type { Reading } from "../../src/sources/source-reader.ts";
import type { Store } from "../../src/store/store.ts";
import type { SourceMemory } from "./memory.ts";
import type { SourceControllerParts } from "./parts.ts";
import type { SourceObservation } from "./plan.ts";
import { refKey, type ObjectRef } from "./steps.ts";

/** What is wanted, by what was read, and what there is. The store is asked and not a cache: what was just applied must be seen. */
export async function observeSource({ store, sources }: Pick<SourceControllerParts, "store" | "sources">, source: Source, reading: Extract<Reading, { readonly kind: "read" }>, memory: SourceMemory, signal: AbortSignal): Promise<SourceObservation> {
  const { targetNamespace } = source.spec;
  const { objects, problems } = await memory.manifests.read(reading.texts, { namespace: targetNamespace ?? "default", namespaceGiven: targetNamespace !== undefined, givenBy: "spec.targetNamespace" }, signal);
  return await observeWanted({ store, sources }, source, { wanted: objects.map((each) => memory.wanted(each)), problems: [...reading.problems, ...problems], missing: reading.missing }, memory);
}

/** The same of a set that has been read already. */
export async function observeWanted({ store, sources }: Pick<SourceControllerParts, "store" | "sources">, source: Source, set: Pick<SourceObservation, "wanted" | "problems" | "missing">, memory: SourceMemory): Promise<SourceObservation> {
  const { wanted } = set;
  const recorded = (source.status?.inventory ?? []).flatMap(({ kind, namespace, name }): readonly ObjectRef[] => (isKindName(kind) ? [{ kind, namespace, name }] : []));
  const live = new Map<string, AnyObject>();
  for (const ref of [...wanted, ...recorded]) {
    const key = refKey(ref);
    const found = live.has(key) ? undefined : await find(store, ref);
    if (found !== undefined) live.set(key, found);
  }
  const rooms = [...new Set(wanted.flatMap(({ namespace }) => (namespace === undefined ? [] : [namespace])))];
  const namespaces = new Map<string, Namespace>();
  for (const name of rooms) {
    const found = await find(store, { kind: "Namespace", name });
    if (found?.kind === "Namespace") namespaces.set(name, found);
  }
  const neighbours = (await Promise.all(rooms.map((namespace) => store.list("Service", { namespace })))).flatMap(({ items }) => items);
  return { ...set, live, namespaces, neighbours, sourceExists: (name) => sources.get({ name }) !== undefined, preview: memory.preview };
}

function find(store: Pick<Store, "get">, { kind, namespace, name }: ObjectRef): Promise<AnyObject | undefined> {
  return orNone<AnyObject>(store.get(kind, { namespace, name }));
}
