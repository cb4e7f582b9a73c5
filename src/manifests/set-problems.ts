import { serviceCauses } from "../api/admission.ts";
import type { Service } from "../api/service.ts";
import { causeProblems, type ManifestProblem } from "./manifest-problem.ts";
import type { ManifestObject } from "./read-manifests.ts";

/**
 * Rules over all objects of a set together with what is stored already: no object twice, no dependency cycle, no port
 * of a workspace taken twice. The store holds each write to them too, but only after those before it have been made.
 * @param stored Services of the namespaces the set speaks of
 */
export function setProblems(objects: readonly ManifestObject[], stored: readonly Service[]): readonly ManifestProblem[] {
  const problems: ManifestProblem[] = [];
  const seen = new Map<string, ManifestObject>();
  for (const object of objects) {
    const key = `${object.kind} ${object.namespace ?? ""}/${object.name}`;
    const first = seen.get(key);
    if (first !== undefined) problems.push({ place: object.at("metadata.name"), field: "metadata.name", message: `${object.kind} "${object.name}" is given twice; the first one is at ${first.place}` });
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
  return problems;
}

function roomProblems(members: readonly { readonly object: ManifestObject; readonly service: Service }[], stored: readonly Service[]): readonly ManifestProblem[] {
  const problems: ManifestProblem[] = [];
  const byName = new Map(stored.map((each) => [each.metadata.name, each]));
  for (const { service } of members) byName.set(service.metadata.name, service);
  // Each member is compared with what stays and with the members before it, so that each clash is told once.
  const written = new Set(members.map(({ service }) => service.metadata.name));
  const before = new Map<string, Service[]>();
  const add = (service: Service) => {
    const { workspace } = service.spec;
    const others = before.get(workspace);
    if (others === undefined) before.set(workspace, [service]);
    else others.push(service);
  };
  for (const each of stored) if (!written.has(each.metadata.name)) add(each);
  const cycles = new Set<string>();
  for (const { object, service } of members) {
    const causes = serviceCauses(service, { named: (name) => byName.get(name), inWorkspace: (workspace) => before.get(workspace) ?? [] });
    const fresh = causes.filter(({ message }) => {
      const [, round] = /^dependency cycle: (.*)$/.exec(message) ?? [];
      if (round === undefined) return true;
      const key = [...new Set(round.split(" → "))].sort().join(" ");
      return !cycles.has(key) && cycles.add(key);
    });
    problems.push(...causeProblems(object, fresh));
    add(service);
  }
  return problems;
}
