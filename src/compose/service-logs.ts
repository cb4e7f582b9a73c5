import type { Readable } from "node:stream";
import type { Instances } from "../../controllers/instances.ts";
import type { Machines } from "../../controllers/machines.ts";
import type { Supervisors } from "../../controllers/service/supervisor.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { Service } from "../api/service.ts";
import { StatusError } from "../api/status-error.ts";
import type { Lister } from "../runtime/lister.ts";
import type { ServiceLogs } from "../server/service-log.ts";
import type { Store } from "../store/store.ts";

export interface ServiceLogsParts {
  readonly store: Pick<Store, "get">;
  readonly nodes: Lister<"Node">;
  readonly workspaces: Lister<"Workspace">;
  readonly machines: Machines;
  readonly instances: Instances;
  readonly supervisors: Supervisors;
}

/** Finds where a Service runs and opens its log there. */
export function createServiceLogs(parts: ServiceLogsParts): ServiceLogs {
  return async (ref, { follow = false, previous = false, tailLines, signal }) => {
    const service = await parts.store.get("Service", ref);
    const supervisor = await supervisorOf(parts, service, ref, signal);
    const stream = await supervisor.logs(service.metadata.uid, { follow, previous, tailLines, signal });
    stream.stdin.end();
    stream.stderr.resume();
    const out: Readable = stream.stdout;
    out.once("close", () => stream.kill("SIGKILL"));
    return out;
  };
}

async function supervisorOf(parts: ServiceLogsParts, service: Service, ref: NamespacedName, signal: AbortSignal) {
  const cannot = (why: string) => new StatusError("BadRequest", `Cannot read the log of service "${ref.name}": ${why}`);
  const workspace = parts.workspaces.get({ namespace: ref.namespace, name: service.spec.workspace });
  if (workspace === undefined) throw cannot(`its workspace "${service.spec.workspace}" does not exist`);
  const { nodeName, instanceId } = workspace.status ?? {};
  const node = nodeName === undefined ? undefined : parts.nodes.get({ name: nodeName });
  const provider = node === undefined ? undefined : parts.machines.of(node).provider(workspace.spec.provider);
  if (provider === undefined || instanceId === undefined) throw cannot(`its workspace "${service.spec.workspace}" is not placed on a node yet`);
  const instance = await parts.instances.inspect(provider, instanceId, signal);
  if (instance?.state !== "running") throw cannot(`its workspace "${service.spec.workspace}" does not run, and logs go with it; see 'vendetta describe workspace ${service.spec.workspace}'`);
  return parts.supervisors.of(provider, instance);
}
