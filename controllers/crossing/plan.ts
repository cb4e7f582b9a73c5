import { keyOf } from "../../src/base/keys.ts";
import type { Service } from "../../src/api/service.ts";
import { crossingsOf, type EnvironmentParts } from "../service/environment.ts";

/** Node ports that have to lead on from a Node, each with the Services there that are told of it. Pure. */
export function wishedCrossings(nodeName: string, parts: EnvironmentParts): ReadonlyMap<number, readonly Service[]> {
  const wished = new Map<number, Service[]>();
  for (const workspace of parts.workspaces.byIndex("node", nodeName)) {
    // Only there does nothing run for sure: what is being stopped may still have something to say to what it depends on.
    if (workspace.status?.phase === "Stopped") continue;
    for (const service of parts.services.byIndex("workspace", keyOf(workspace))) {
      for (const { nodePort } of crossingsOf(service, parts)) {
        const dependents = wished.get(nodePort) ?? [];
        if (!dependents.includes(service)) dependents.push(service);
        wished.set(nodePort, dependents);
      }
    }
  }
  return wished;
}
