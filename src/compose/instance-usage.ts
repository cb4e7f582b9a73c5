import { timeoutSignal, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Usage, UsageSource } from "../server/usage.ts";
import type { Transport } from "../transports/transport.ts";
import type { RunningInstanceParts } from "./running-instance.ts";
import { createUsageMeter, type Reading } from "./usage-meter.ts";

const readMsMax = 10_000;
const procBytesMax = 1024 * 1024;
/** Of /proc/stat: USER_HZ, which Linux shows to programs as 100 on every machine we run on. */
const ticksASecond = 100;

/** What Workspaces use, as their engines tell, and Nodes, as their kernels do. */
export function createInstanceUsage({ nodes, workspaces, machines, clock, log }: RunningInstanceParts & { readonly clock: Clock; readonly log: Logger }): UsageSource {
  const meter = createUsageMeter(clock);
  const asked = async (key: string, read: (signal: AbortSignal) => Promise<Reading | undefined>): Promise<Usage | undefined> => {
    try {
      return await meter.of(key, async () => {
        using bound = timeoutSignal(clock, readMsMax, "measuring");
        return await read(bound.signal);
      });
    } catch (error) {
      log.debug("cannot measure", { key, error: messageOf(error) });
      return undefined;
    }
  };
  return {
    async ofWorkspace(ref) {
      const workspace = workspaces.get(ref);
      const { nodeName, instanceId, startId } = workspace?.status ?? {};
      const node = nodeName === undefined ? undefined : nodes.get({ name: nodeName });
      if (workspace === undefined || node === undefined || instanceId === undefined || startId === undefined) return undefined;
      const provider = machines.of(node).provider(workspace.spec.provider);
      return await asked(`${instanceId} ${startId}`, async (signal) => await provider?.usage?.(instanceId, signal));
    },
    async ofNode(name) {
      const node = nodes.get({ name });
      return node === undefined ? undefined : await asked(`node ${name}`, () => readMachine(machines.of(node).transport));
    },
  };
}

/** Source: proc(5), /proc/stat and /proc/meminfo. */
async function readMachine({ files }: Transport): Promise<Reading> {
  const text = async (path: string) => Buffer.from(await files.read(path, procBytesMax)).toString("utf8");
  return machineReading(await text("/proc/stat"), await text("/proc/meminfo"));
}

export function machineReading(stat: string, meminfo: string): Reading {
  // user nice system idle iowait irq softirq steal; guest time is in user already.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? "").split(" ").map(Number);
  const kib = (field: string) => Number(new RegExp(`^${field}: +(\\d+) kB$`, "m").exec(meminfo)?.[1] ?? 0);
  return { cpuSeconds: (user + nice + system + irq + softirq + steal) / ticksASecond, memoryBytes: (kib("MemTotal") - kib("MemAvailable")) * 1024 };
}
