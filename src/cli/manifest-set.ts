import { serviceCauses } from "../api/admission.ts";
import type { Service } from "../api/service.ts";
import { ManifestError, type ManifestObject } from "./manifests.ts";

/**
 * Rules over all objects of a set together with what is stored already: no object twice, no dependency cycle, no port
 * of a workspace taken twice. The store holds each write to them too, but only after those before it have been made.
 * @param stored Services of the namespaces the set speaks of
 * @throws ManifestError
 */
export function checkManifestSet(objects: readonly ManifestObject[], stored: readonly Service[]): void {
  const problems: string[] = [];
  const seen = new Map<string, ManifestObject>();
  for (const object of objects) {
    const key = `${object.kind} ${object.namespace ?? ""}/${object.name}`;
    const first = seen.get(key);
    if (first !== undefined) problems.push(`${object.placeOf("metadata.name")}: ${object.kind} "${object.name}" is given twice; the first one is at ${first.place}`);
    else seen.set(key, object);
  }
  const rooms = new Map<string, { readonly object: ManifestObject; readonly service: Service }[]>();
  for (const object of seen.values()) {
    if (object.parsed.kind !== "Service") continue;
    const room = rooms.get(object.namespace ?? "");
    if (room === undefined) rooms.set(object.namespace ?? "", [{ object, service: object.parsed }]);
    else room.push({ object, service: object.parsed });
  }
  for (const [namespace, members] of rooms) problems.push(...roomProblems(members, stored.filter((each) => each.metadata.namespace === namespace)));
  if (problems.length > 0) throw new ManifestError(problems);
}

function roomProblems(members: readonly { readonly object: ManifestObject; readonly service: Service }[], stored: readonly Service[]): string[] {
  const problems: string[] = [];
  const byName = new Map(stored.map((each) => [each.metadata.name, each]));
  for (const { service } of members) byName.set(service.metadata.name, service);
  // Each member is compared with what stays and with the members before it, so that each clash is told once.
  const written = new Set(members.map(({ service }) => service.metadata.name));
  const before = stored.filter((each) => !written.has(each.metadata.name));
  const cycles = new Set<string>();
  for (const { object, service } of members) {
    const causes = serviceCauses(service, { named: (name) => byName.get(name), inWorkspace: (workspace) => before.filter((each) => each.spec.workspace === workspace) });
    for (const { field, message } of causes) {
      const [, round] = /^dependency cycle: (.*)$/.exec(message) ?? [];
      const members = round === undefined ? undefined : [...new Set(round.split(" → "))].sort().join(" ");
      if (members !== undefined && cycles.has(members)) continue;
      if (members !== undefined) cycles.add(members);
      problems.push(`${object.placeOf(field)}: Service "${object.name}": ${field}: ${message}`);
    }
    before.push(service);
  }
  return problems;
}
