import type { Transport } from "../../transports/transport.ts";
import type { InstanceUsage } from "../provider.ts";
import type { NodeMachines } from "./node-machines.ts";
import { processorScript } from "./node-scripts.ts";

const askMsMax = 10_000;

/** Processor time as the node counts it, what QEMU itself needs included; memory as the machine counts it, as the node cannot know what it only caches. */
export async function machineUsage(machines: NodeMachines, id: string, inside: () => Promise<Transport>, signal: AbortSignal): Promise<InstanceUsage | undefined> {
  const { home } = await machines.places(id);
  const [processor, memory] = await Promise.all([
    machines.script(processorScript, [home], { signal }),
    inside().then((guest) => guest.run(["cat", "/proc/meminfo"], { timeoutMs: askMsMax, signal })),
  ]);
  const [ticks, ticksASecond] = processor.stdout.trim().split(" ").map(Number);
  if (ticks === undefined || ticksASecond === undefined) return undefined;
  const kibi = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(memory.stdout)?.[1] ?? 0);
  return { cpuSeconds: ticks / ticksASecond, memoryBytes: (kibi("MemTotal") - kibi("MemAvailable")) * 1024 };
}
