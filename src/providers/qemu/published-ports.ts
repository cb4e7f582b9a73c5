import { untilAborted } from "../../base/until-aborted.ts";
import type { Transport } from "../../transports/transport.ts";
import { ProviderError, type PublishedPort } from "../provider.ts";
import type { RunningMachine } from "./guests.ts";
import type { MachineSeen } from "./machine-record.ts";
import { forwardOf } from "./machine-argv.ts";
import type { NodeMachines } from "./node-machines.ts";

/** Makes a running machine's forwards these, and puts them on record for its next start. @throws ProviderError PortInUse, QemuRefused */
export async function publishPorts(machines: NodeMachines, transport: Transport, machine: RunningMachine, ports: readonly PublishedPort[], signal: AbortSignal): Promise<void> {
  const { home } = await machines.places(machine.id);
  const same = (a: PublishedPort, b: PublishedPort) => a.port === b.port && a.nodePort === b.nodePort && a.protocol === b.protocol;
  const now = [...machine.ports];
  await machines.monitor(machine.run, async ({ ask }) => {
    // Only the human monitor knows these two; it says nothing when all went well.
    const say = async (line: string) => String(await ask("human-monitor-command", { "command-line": line })).trim();
    try {
      for (const gone of machine.ports.filter((each) => !ports.some((other) => same(each, other)))) {
        const said = await say(`hostfwd_remove net ${forwardOf(gone).from}`);
        if (said !== "" && !/removed/.test(said)) throw new ProviderError("QemuRefused", said, true);
        now.splice(now.findIndex((each) => same(each, gone)), 1);
      }
      for (const added of ports.filter((each) => !machine.ports.some((other) => same(each, other)))) {
        const { from, to } = forwardOf(added);
        const said = await say(`hostfwd_add net ${from}-${to}`);
        if (said !== "") throw /could not set up/i.test(said) ? new ProviderError("PortInUse", `node port ${added.nodePort} of ${transport.name} is in use by another program`, true) : new ProviderError("QemuRefused", said, true);
        now.push(added);
      }
    } finally {
      await transport.files.write(`${home}/ports.json`, JSON.stringify(now));
    }
  }, signal);
}

/** Has a machine that does not run be started without these. */
export async function withdrawPorts(machines: NodeMachines, transport: Transport, { id, ports }: MachineSeen, nodePorts: readonly number[], signal: AbortSignal): Promise<void> {
  const { home } = await machines.places(id);
  const kept = ports.filter(({ nodePort }) => !nodePorts.includes(nodePort));
  if (kept.length < ports.length) await untilAborted(transport.files.write(`${home}/ports.json`, JSON.stringify(kept)), signal);
}
