import { kindPaths } from "./paths.ts";
import { invalid, notFound, StatusError, type StatusCause } from "./status-error.ts";
import type { AnyObject, KindMap, KindName } from "./registry.ts";
import { qualifiedKind } from "./kind.ts";
import { portsOf, serviceKind, type Service } from "./service.ts";

/** What a rule over several objects may look at. */
export interface AdmissionReader {
  get<K extends KindName>(kind: K, namespace: string | undefined, name: string): KindMap[K] | undefined;
  /** Services of a namespace that run in the Workspace of that name. From an index: a write must not cost more in a fuller store. */
  servicesIn(namespace: string, workspace: string): Iterable<Service>;
}

/**
 * Rules over several objects that can be told when one is written. Pure; the store calls it inside the write, so that
 * two writes at once cannot pass each other. What can only be known later becomes a condition instead.
 * @throws StatusError Invalid (cycle, port taken in the workspace), NotFound (namespace), Forbidden (namespace going)
 */
export function admit(kind: KindName, object: AnyObject, old: AnyObject | undefined, reader: AdmissionReader): void {
  const { namespace } = object.metadata;
  if (namespace !== undefined && old === undefined) {
    const room = reader.get("Namespace", undefined, namespace);
    if (room === undefined) throw notFound("namespaces", namespace);
    // Events still tell how a namespace goes.
    if (room.metadata.deletionTimestamp !== undefined && kind !== "Event") {
      throw terminating(kind, object.metadata.name, namespace);
    }
  }
  if (object.kind === "Service" && namespace !== undefined && object.metadata.deletionTimestamp === undefined) {
    // A write that leaves these as they were (every status write does) cannot break a rule over them.
    if (old?.kind === "Service" && old.spec === object.spec) return;
    const causes = serviceCauses(object, {
      named: (name) => reader.get("Service", namespace, name),
      inWorkspace: (workspace) => reader.servicesIn(namespace, workspace),
    });
    if (causes.length > 0) throw invalid(qualifiedKind(serviceKind), object.metadata.name, causes);
  }
}

/** Kubernetes' words; clients look for the cause. */
function terminating(kind: KindName, name: string, namespace: string): StatusError {
  const { plural, group } = kindPaths[kind];
  const resource = group === "" ? plural : `${plural}.${group}`;
  return new StatusError("Forbidden", `${resource} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`, {
    name, ...(group === "" ? {} : { group }), kind: plural,
    causes: [{ field: "metadata.namespace", message: `namespace ${namespace} is being terminated`, reason: "NamespaceTerminating" }],
  });
}

/** The other Services of a namespace. */
export interface ServiceNeighbours {
  named(name: string): Service | undefined;
  inWorkspace(workspace: string): Iterable<Service>;
}

/** What is wrong with a Service among the others of its namespace, of which an older state of itself and those going do not count. */
export function serviceCauses(service: Service, others: ServiceNeighbours): readonly StatusCause[] {
  const causes: StatusCause[] = [];
  const self = service.metadata.name;
  const counts = (other: Service) => other.metadata.name !== self && other.metadata.deletionTimestamp === undefined;
  const dependenciesOf = (name: string): readonly string[] => {
    const found = name === self ? service : others.named(name);
    return found === undefined || (found !== service && !counts(found)) ? [] : found.spec.dependsOn.map((each) => each.name);
  };
  const cycle = findCycle(self, dependenciesOf);
  if (cycle !== undefined) {
    const index = service.spec.dependsOn.findIndex((each) => each.name === cycle[1]);
    causes.push({ field: `spec.dependsOn[${index}].name`, message: `dependency cycle: ${cycle.join(" → ")}`, reason: "FieldValueInvalid" });
  }
  const mine = portsOf(service.spec);
  for (const other of others.inWorkspace(service.spec.workspace)) {
    if (!counts(other)) continue;
    for (const { port } of portsOf(other.spec)) {
      const index = mine.findIndex((each) => each.port === port);
      if (index < 0) continue;
      const field = service.spec.port !== undefined ? "spec.port" : `spec.ports[${index}].port`;
      causes.push({ field, message: `${port} is already used by Service "${other.metadata.name}" in Workspace "${service.spec.workspace}"`, reason: "FieldValueDuplicate" });
    }
  }
  return causes;
}

/** A path from `start` back to itself, both ends named; undefined when there is none. Iterative: graphs may be deep. */
export function findCycle(start: string, edges: (name: string) => readonly string[]): readonly string[] | undefined {
  const seen = new Set<string>();
  const path: { readonly name: string; readonly left: string[] }[] = [{ name: start, left: [...edges(start)] }];
  while (path.length > 0) {
    const at = path.at(-1)!;
    const next = at.left.shift();
    if (next === undefined) path.pop();
    else if (next === start) return [...path.map((each) => each.name), start];
    else if (!seen.has(next)) {
      seen.add(next);
      path.push({ name: next, left: [...edges(next)] });
    }
  }
  return undefined;
}

/**
 * The cluster's identity hangs on `default`, and nobody who leaves out a namespace could work any more. The others are where clients of
 * Kubernetes look for what belongs to the cluster itself, and are refused whether they are there or not, as there.
 */
const immortalNamespaces: readonly string[] = ["default", "kube-system", "kube-public"];

/** What may not be deleted. @throws StatusError Forbidden */
export function admitDeletion(kind: KindName, name: string): void {
  if (kind === "Namespace" && immortalNamespaces.includes(name)) throw new StatusError("Forbidden", `namespaces "${name}" is forbidden: this namespace may not be deleted`, { kind: "namespaces", name });
}
