import { messageOf } from "../base/errors.ts";
import { StatusError } from "../api/status-error.ts";
import { ProviderError } from "../providers/provider.ts";
import type { Lister } from "../runtime/lister.ts";
import { runEnvironment } from "../../controllers/service/environment.ts";
import type { Commands, CommandWish } from "../server/commands.ts";
import { failedCommand, startFailureOf, withStartFailure } from "./start-failure.ts";
import type { Store } from "../store/store.ts";
import { TransportError } from "../transports/transport.ts";
import { runningInstance, type RunningInstanceParts } from "./running-instance.ts";

export interface InstanceCommandsParts extends RunningInstanceParts {
  readonly store: Pick<Store, "get">;
  /** With the index "workspace". */
  readonly services: Lister<"Service">;
}

/** Until the caller tells the size of its window. */
const firstWindow = { columns: 80, rows: 24 };

/** Runs commands where Workspaces and Services are. */
export function createInstanceCommands(parts: InstanceCommandsParts): Commands {
  return async (wish) => {
    const cannot = `Cannot run a command in ${wish.kind.toLowerCase()} "${wish.ref.name}"`;
    const { workspaceName, env, workingDir } = await placeOf(parts, wish);
    const { provider, instance } = await runningInstance(parts, { namespace: wish.ref.namespace, name: workspaceName }, { cannot, subject: wish.kind === "Workspace" ? "it" : `its workspace "${workspaceName}"` }, wish.signal);
    const terminal = wish.terminal ? { tty: firstWindow } : {};
    const failureOf = (error: unknown) => startFailureOf(error, wish.argv[0] ?? "", workspaceName);
    try {
      const command = await provider.exec(instance.id, wish.argv, { env: { ...(wish.terminal ? { TERM: "xterm" } : {}), ...env }, workingDir, signal: wish.signal, ...terminal });
      return withStartFailure(command, failureOf, wish.terminal);
    } catch (error) {
      const failure = failureOf(error);
      if (failure !== undefined) return failedCommand(failure, wish.terminal);
      if (error instanceof ProviderError || error instanceof TransportError) throw new StatusError("BadRequest", `${cannot}: ${messageOf(error)}`, {}, { cause: error });
      throw error;
    }
  };
}

async function placeOf(parts: InstanceCommandsParts, { kind, ref }: CommandWish): Promise<{ readonly workspaceName: string; readonly env: Readonly<Record<string, string>>; readonly workingDir: string | undefined }> {
  if (kind === "Workspace") {
    await parts.store.get("Workspace", ref);
    return { workspaceName: ref.name, env: {}, workingDir: undefined };
  }
  const service = await parts.store.get("Service", ref);
  return { workspaceName: service.spec.workspace, env: runEnvironment(service, parts).all, workingDir: service.spec.workingDir };
}
