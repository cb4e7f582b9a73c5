import { invalid, notFound, StatusError, type StatusCause } from "./status-error.ts";
import type { AnyObject, KindMap, KindName } from "./registry.ts";
import type { Service } from "./service.ts";
import { portsOf } from "./service.ts";

/** What a rule over several objects may look at. */
export interface AdmissionReader {
  get<K extends KindName>(kind: K, namespace: string | undefined, name: string): KindMap[K] | undefined;
  list<K extends KindName>(kind: K, namespace: string | undefined): Iterable<KindMap[K]>;
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
      throw new StatusError("Forbidden", `Cannot create ${kind} "${object.metadata.name}": namespace ${namespace} is being deleted`, { kind, name: object.metadata.name });
    }
  }
  if (object.kind === "Service" && object.metadata.deletionTimestamp === undefined) {
    const causes = serviceCauses(object, [...reader.list("Service", namespace)]);
    if (causes.length > 0) throw invalid("Service", object.metadata.name, causes);
  }
}

/** What is wrong with a Service among the others of its namespace (of which an older state of itself is ignored). */
export function serviceCauses(service: Service, others: readonly Service[]): readonly StatusCause[] {
  const causes: StatusCause[] = [];
  const byName = new Map(others.filter((other) => other.metadata.deletionTimestamp === undefined).map((other) => [other.metadata.name, other]));
  byName.set(service.metadata.name, service);
  const cycle = findCycle(service.metadata.name, (name) => byName.get(name)?.spec.dependsOn.map((each) => each.name) ?? []);
  if (cycle !== undefined) {
    const index = service.spec.dependsOn.findIndex((each) => each.name === cycle[1]);
    causes.push({ field: `spec.dependsOn[${index}].name`, message: `dependency cycle: ${cycle.join(" → ")}`, reason: "FieldValueInvalid" });
  }
  const mine = portsOf(service.spec);
  for (const other of byName.values()) {
    if (other === service || other.spec.workspace !== service.spec.workspace) continue;
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
