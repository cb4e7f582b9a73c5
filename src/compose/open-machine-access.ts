import { systemRandom as random } from "../base/system.ts";
import type { MachineAccess, AccessOptions } from "../access/access.ts";
import { createMachineAccess } from "../access/machine-access.ts";
import { createDockerProvider } from "../providers/docker/docker-provider.ts";

/** The user's way into machines, with the engine that is looked for there. */
export function openMachineAccess(options: AccessOptions): Promise<MachineAccess> {
  return createMachineAccess({
    ...options,
    random,
    async probeEngine(transport, socketPath, signal) {
      const probe = await createDockerProvider({ transport, clock: options.clock, socketPath }).probe(signal);
      return probe.usable ? { version: probe.version } : { problem: probe.message };
    },
  });
}
