import { whyUnknown } from "../../controllers/node/why-unknown.ts";
import { StatusError } from "../api/status-error.ts";
import { ProviderError } from "../providers/provider.ts";
import type { WorkspaceConsole } from "../server/workspace-console.ts";
import type { RunningInstanceParts } from "./running-instance.ts";

/** Shows consoles of instances wherever they are, running or not: why one does not start is what its console tells. */
export function createWorkspaceConsole({ workspaces, nodes, machines }: Pick<RunningInstanceParts, "workspaces" | "nodes" | "machines">): WorkspaceConsole {
  return async (ref, bytesMax, signal) => {
    const refused = (why: string) => new StatusError("BadRequest", `Cannot show the console of workspace "${ref.name}": ${why}`);
    const workspace = workspaces.get(ref);
    const { nodeName, instanceId } = workspace?.status ?? {};
    const node = nodeName === undefined ? undefined : nodes.get({ name: nodeName });
    if (workspace === undefined || node === undefined || instanceId === undefined) throw refused("it is not placed on a node yet");
    const unknown = whyUnknown(node);
    if (unknown !== undefined) throw refused(unknown);
    const provider = machines.of(node).provider(workspace.spec.provider);
    if (provider?.console === undefined) throw refused(`provider ${workspace.spec.provider} keeps none; 'vendetta logs SERVICE' shows what a service wrote`);
    try {
      return await provider.console(instanceId, bytesMax, signal);
    } catch (error) {
      throw error instanceof ProviderError ? refused(error.message) : error;
    }
  };
}
