import { join } from "node:path";
import type { Machine, Machines } from "../../controllers/machines.ts";
import type { Clock } from "../base/clock.ts";
import type { Node } from "../api/node.ts";
import { createDockerProvider } from "../providers/docker/docker-provider.ts";
import { createHostProvider } from "../providers/host/host-provider.ts";
import type { Transport } from "../transports/transport.ts";
import { createLocalTransport } from "../transports/local.ts";

/** Machines that are this one. `dir` is where the host provider keeps its instances. */
export function createLocalMachines({ clock, dir }: { readonly clock: Clock; readonly dir: string }): Machines & { close(): Promise<void> } {
  const open = new Map<string, { readonly reach: string; readonly transport: Transport; readonly machine: Machine }>();

  const connect = (node: Node): Machine => {
    const transport = createLocalTransport({ clock });
    const socketPath = node.spec.providers.docker?.socketPath ?? "/var/run/docker.sock";
    const providers = [createDockerProvider({ transport, clock, socketPath }), createHostProvider({ transport, clock, dir: join(dir, "instances") })];
    const machine: Machine = { transport, providers, provider: (name) => providers.find((each) => each.name === name) };
    open.set(node.metadata.name, { reach: reachOf(node), transport, machine });
    return machine;
  };
  const release = async (name: string) => {
    const known = open.get(name);
    open.delete(name);
    await known?.transport.close();
  };

  return {
    of(node) {
      const known = open.get(node.metadata.name);
      if (known?.reach === reachOf(node)) return known.machine;
      // Whoever still holds the old one gets its errors and asks again.
      void release(node.metadata.name);
      return connect(node);
    },
    release,
    async close() {
      await Promise.all([...open.keys()].map(release));
    },
  };
}

/** The part of a Node that says how it is reached. */
function reachOf({ spec }: Node): string {
  return JSON.stringify([spec.local, spec.providers]);
}
