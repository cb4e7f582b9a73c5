import { ProviderError } from "../providers/provider.ts";
import type { Dial } from "../server/port-forward.ts";
import { runningInstance, type RunningInstanceParts } from "./running-instance.ts";

/** Connects to ports inside instances, wherever they run. */
export function createInstanceDial(parts: RunningInstanceParts): Dial {
  return async (workspace, port, signal) => {
    const { provider, instance } = await runningInstance(parts, workspace, { cannot: `Cannot reach port ${port}`, subject: `workspace "${workspace.name}"` }, signal);
    try {
      return await provider.dial(instance.id, port, signal);
    } catch (error) {
      if (error instanceof ProviderError && error.reason === "ConnectionRefused") return "refused";
      throw error;
    }
  };
}
