import { durationArgument } from "../duration-argument.ts";
import type { Session } from "../session.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";

/** Sets whether a Workspace is to run, and waits until it does, or does not. */
export async function workspaceState(session: Session, verb: "up" | "down", name: string, { timeout }: { readonly timeout?: string | undefined }): Promise<void> {
  const timeoutMs = durationArgument(timeout ?? "120s");
  const store = await session.connect();
  const { kind, metadata, status } = await store.patch("Workspace", { namespace: session.namespace, name }, { type: "merge", patch: { spec: { state: verb === "up" ? "Running" : "Stopped" } } });
  if (status?.observedGeneration !== metadata.generation) session.tell(`${verb === "up" ? "Starting" : "Stopping"} Workspace "${name}" …`);
  await waitUntilSettled(session, store, [{ kind, namespace: metadata.namespace, name }], timeoutMs);
  session.print(`workspace.vendetta.dev/${name} ${verb === "up" ? "running" : "stopped"}`);
}
