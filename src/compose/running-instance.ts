import type { Instances } from "../../controllers/instances.ts";
import type { Machines } from "../../controllers/machines.ts";
import { whyUnknown } from "../../controllers/node/why-unknown.ts";
import { messageOf } from "../base/errors.ts";
import type { NamespacedName } from "../base/keys.ts";
import { StatusError } from "../api/status-error.ts";
import type { Workspace } from "../api/workspace.ts";
import { ProviderError, type Instance, type Provider } from "../providers/provider.ts";
import type { Lister } from "../runtime/lister.ts";
import { TransportError } from "../transports/transport.ts";

export interface RunningInstanceParts {
  readonly nodes: Lister<"Node">;
  readonly workspaces: Lister<"Workspace">;
  readonly machines: Machines;
  readonly instances: Instances;
}

export interface RunningInstance {
  readonly workspace: Workspace;
  readonly provider: Provider;
  readonly instance: Instance;
}

/** How a message begins, and what it calls the Workspace after that: `its workspace "dev"`, or "it" where the beginning has named it. */
export interface Refusal {
  readonly cannot: string;
  readonly subject: string;
}

/** The instance of a Workspace, which runs. @throws StatusError BadRequest saying why it does not, ServiceUnavailable when that cannot be found out */
export async function runningInstance(parts: RunningInstanceParts, ref: NamespacedName, { cannot, subject }: Refusal, signal: AbortSignal): Promise<RunningInstance> {
  const refused = (why: string) => new StatusError("BadRequest", `${cannot}: ${subject} ${why}`);
  const workspace = parts.workspaces.get(ref);
  if (workspace === undefined) throw refused("does not exist");
  const { nodeName, instanceId } = workspace.status ?? {};
  const node = nodeName === undefined ? undefined : parts.nodes.get({ name: nodeName });
  const unknown = node === undefined ? undefined : whyUnknown(node);
  if (unknown !== undefined) throw refused(`is out of reach. ${unknown}`);
  const provider = node === undefined ? undefined : parts.machines.of(node).provider(workspace.spec.provider);
  if (provider === undefined || instanceId === undefined) throw refused("is not placed on a node yet");
  const instance = await parts.instances.inspect(provider, instanceId, signal).catch((error: unknown) => {
    if (!(error instanceof ProviderError || error instanceof TransportError)) throw error;
    throw new StatusError("ServiceUnavailable", `${cannot}: ${subject} cannot be asked at the moment: ${messageOf(error)}`, {}, { cause: error });
  });
  if (instance?.state !== "running") throw refused(workspace.spec.state === "Stopped" ? `is stopped; 'vendetta workspace up ${ref.name}' starts it` : `does not run; see 'vendetta describe workspace ${ref.name}'`);
  return { workspace, provider, instance };
}
