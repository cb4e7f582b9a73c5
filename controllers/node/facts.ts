import type { Transport } from "../../src/transports/transport.ts";

export interface MachineFacts {
  /** Quantities. */
  readonly capacity: { readonly cpu: string; readonly memory: string; readonly disk: string };
  /** Whole Gi of the file system that capacity.disk is of. */
  readonly diskFree: string;
  /** Seconds since the epoch by its own clock, in whole seconds. */
  readonly clockSeconds: number;
  readonly info: { readonly operatingSystem: string; readonly kernelVersion: string; readonly architecture: string; readonly hostname: string; readonly bootId: string };
}

/** One sh run tells all: portable over busybox and coreutils, one `key=value` a line. */
const script = `
echo "clock=$(date +%s)"; echo "kernel=$(uname -r)"; echo "arch=$(uname -m)"; echo "system=$(uname -s)"
read -r host < /proc/sys/kernel/hostname && echo "hostname=$host"
read -r boot < /proc/sys/kernel/random/boot_id && echo "boot=$boot"
while read -r key value unit; do [ "$key" = MemTotal: ] && echo "memoryKi=$value"; done < /proc/meminfo
cpus=0; while read -r key rest; do [ "$key" = processor ] && cpus=$((cpus + 1)); done < /proc/cpuinfo; echo "cpu=$(nproc 2>/dev/null || echo $cpus)"
dir="\${HOME:-/}"; [ -d /var/lib/docker ] && dir=/var/lib/docker
df -Pk "$dir" 2>/dev/null | while read -r fs size used free rest; do echo "diskKi=$size"; echo "freeKi=$free"; done
[ -r /etc/os-release ] && while IFS= read -r line; do case "$line" in PRETTY_NAME=*) echo "os=\${line#PRETTY_NAME=}";; esac; done < /etc/os-release
true
`;

/** Asks the machine what it is. @throws TransportError, TimeoutError, or an Error when what it says cannot be read */
export async function readMachineFacts(transport: Transport, timeoutMs: number, signal: AbortSignal): Promise<MachineFacts> {
  const result = await transport.run(["sh", "-c", script], { timeoutMs, signal });
  if (result.code !== 0) throw new Error(`sh on ${transport.name} ended with exit code ${result.code}: ${result.stderr.trim().slice(0, 200)}`);
  const facts = new Map(result.stdout.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()] as const));
  const text = (key: string) => facts.get(key) ?? "";
  return {
    capacity: { cpu: text("cpu"), memory: `${Math.floor(Number(text("memoryKi")) / 1024)}Mi`, disk: gibibytes(text("diskKi")) },
    diskFree: gibibytes(text("freeKi")),
    clockSeconds: Number(text("clock")),
    info: { operatingSystem: text("os").replace(/^"(.*)"$/, "$1") || text("system"), kernelVersion: text("kernel"), architecture: text("arch"), hostname: text("hostname"), bootId: text("boot") },
  };
}

const gibibytes = (ki: string) => `${Math.floor(Number(ki) / 2 ** 20)}Gi`;
