import type { Machine, Machines } from "../../controllers/machines.ts";
import type { Clock } from "../base/clock.ts";
import type { HomePaths } from "../base/home.ts";
import type { Random } from "../base/random.ts";
import type { Node } from "../api/node.ts";
import { createDockerProvider } from "../providers/docker/docker-provider.ts";
import { createHostProvider } from "../providers/host/host-provider.ts";
import { createLxcProvider } from "../providers/lxc/lxc-provider.ts";
import type { GuestWay } from "../providers/qemu/guest-way.ts";
import { createQemuProvider } from "../providers/qemu/qemu-provider.ts";
import type { Transport } from "../transports/transport.ts";
import { createLocalTransport } from "../transports/local.ts";
import { relay } from "../transports/ssh/relay.ts";
import { createGuestWay } from "./guest-way.ts";
import { openSshWay } from "./ssh-way.ts";

export interface MachinesParts {
  readonly paths: Pick<HomePaths, "instancesDir" | "sshDir">;
  /** Whose instances are kept apart from other clusters' on machines that several use. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Told when the connection to a Node was made or lost. */
  readonly onWayChange: (nodeName: string) => void;
}

interface OpenMachine {
  readonly reach: string;
  readonly machine: Machine;
  close(): Promise<void>;
}

/** The machines of Nodes: this one, and those that are reached over SSH, with the same providers on each. */
export function createMachines(parts: MachinesParts): Machines & { close(): Promise<void> } {
  const open = new Map<string, OpenMachine>();

  const connect = (node: Node): Machine => {
    const opened = node.spec.ssh === undefined ? openLocal(parts, node) : openRemote(parts, node, node.spec.ssh);
    open.set(node.metadata.name, { ...opened, reach: reachOf(node) });
    return opened.machine;
  };
  const release = async (name: string) => {
    const known = open.get(name);
    open.delete(name);
    await known?.close();
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

function openLocal(parts: MachinesParts, node: Node): Omit<OpenMachine, "reach"> {
  const { paths, clock, random } = parts;
  const transport = createLocalTransport({ clock });
  const closing = new AbortController();
  const guests = createGuestWay({ ...parts, sshDir: paths.sshDir });
  return {
    machine: machineOf({ node, transport, dir: () => Promise.resolve(paths.instancesDir), guests, clock, random, closing: closing.signal }),
    async close() {
      closing.abort();
      await guests.close();
      await transport.close();
    },
  };
}

function openRemote(parts: MachinesParts, node: Node, ssh: NonNullable<Node["spec"]["ssh"]>): Omit<OpenMachine, "reach"> {
  const { paths, cluster, clock, random, onWayChange } = parts;
  const here = createLocalTransport({ clock });
  const way = openSshWay({ ssh, sshDir: paths.sshDir, here, onChange: () => onWayChange(node.metadata.name), clock, random });
  const dir = async () => `${await way.homeThere()}/.local/share/vendetta/${cluster}/instances`;
  const closing = new AbortController();
  const guests = createGuestWay({ ...parts, sshDir: paths.sshDir });
  return {
    machine: { ...machineOf({ node, transport: way.transport, dir, guests, clock, random, closing: closing.signal }), remote: way.remote },
    async close() {
      closing.abort();
      await guests.close();
      await Promise.all([way.close(), here.close()]);
    },
  };
}

interface MachineParts {
  readonly node: Node;
  readonly transport: Transport;
  readonly dir: () => Promise<string>;
  readonly guests: GuestWay;
  readonly clock: Clock;
  readonly random: Random;
  readonly closing: AbortSignal;
}

function machineOf({ node, transport, dir, guests, clock, random, closing }: MachineParts): Machine {
  const socketPath = node.spec.providers.docker?.socketPath ?? "/var/run/docker.sock";
  const providers = [
    createDockerProvider({ transport, clock, socketPath, closing }), createLxcProvider({ transport, clock, random, dir, relay }),
    createQemuProvider({ transport, clock, dir, guests }), createHostProvider({ transport, clock, dir }),
  ];
  return { transport, providers, provider: (name) => providers.find((each) => each.name === name) };
}

/** The part of a Node that says how it is reached. */
function reachOf({ spec }: Node): string {
  return JSON.stringify([spec.local, spec.ssh, spec.providers]);
}
