import { ProviderError } from "../provider.ts";
import type { IdMap } from "./id-map.ts";
import { runDir, stage } from "./lxc-paths.ts";

export type ContainerNetwork =
  /** Nothing but its own loopback. */
  | { readonly kind: "empty" }
  /** A cable to a bridge. Without an address the container asks for one by DHCP. */
  | { readonly kind: "veth"; readonly bridge: string; readonly veth: string; readonly address?: { readonly ip: string; readonly gateway: string } };

/** What is mounted inside: the `index`th source of `stage`, or memory. Targets are absolute. */
export type ContainerMount =
  | { readonly kind: "staged"; readonly index: number; readonly target: string; readonly readOnly: boolean; readonly isFile: boolean }
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes: number | undefined };

export interface ContainerConfig {
  readonly hostname: string;
  /** How the init is asked to halt. */
  readonly haltSignal: string;
  /** Instead of /sbin/init, of an image that has none. */
  readonly initCommand: string | undefined;
  readonly idMap: IdMap | undefined;
  readonly network: ContainerNetwork;
  /** Give root inside all it can have. */
  readonly keepsNetworkAdmin: boolean;
  readonly limits: { readonly cpus: number | undefined; readonly memoryBytes: number | undefined; readonly pidsMax: number | undefined };
  readonly mounts: readonly ContainerMount[];
  readonly consoleLog: string;
}

/** Powers of two, as LXC wants it. */
export const consoleBytesMax = 256 * 1024;

const cpuPeriodUs = 100_000;
const runDirBytesMax = 64 * 1024 * 1024;
/** What Docker lets nobody have either, and what would turn the node's clock or load modules into its kernel. */
const neverCapabilities = ["sys_module", "sys_rawio", "sys_time", "mac_admin", "mac_override"];
/** null, zero, full, random, urandom, tty, console, ptmx, pts; the making of all, which is no use of any. */
const devices = ["c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"];

/**
 * The text of a container's `config`. Source: lxc.container.conf(5).
 * @throws ProviderError InvalidSpec for what no line of it can hold
 */
export function containerConfig(config: ContainerConfig): string {
  const { hostname, haltSignal, initCommand, idMap, network, keepsNetworkAdmin, limits, mounts, consoleLog } = config;
  const dropped = keepsNetworkAdmin ? neverCapabilities : [...neverCapabilities, "net_admin"];
  const lines: (readonly [key: string, value: string])[] = [
    ["lxc.rootfs.path", `dir:${stage}/rootfs`],
    ["lxc.uts.name", hostname],
    ["lxc.signal.halt", haltSignal],
    ...(initCommand === undefined ? [] : [["lxc.init.cmd", initCommand] as const]),
    ...(idMap === undefined ? [] : [["lxc.idmap", `u 0 ${idMap.uidStart} ${idMap.count}`], ["lxc.idmap", `g 0 ${idMap.gidStart} ${idMap.count}`]] as const),
    ...networkLines(network),
    ["lxc.cap.drop", dropped.join(" ")],
    ["lxc.autodev", "1"],
    ["lxc.tty.max", "0"],
    ["lxc.pty.max", "1024"],
    ["lxc.mount.auto", "cgroup:mixed proc:mixed sys:mixed"],
    ["lxc.mount.entry", "shm dev/shm tmpfs mode=1777,create=dir 0 0"],
    ["lxc.mount.entry", `vendetta ${inside(runDir)} tmpfs mode=1777,size=${runDirBytesMax},create=dir 0 0`],
    ...mounts.map((mount) => ["lxc.mount.entry", mountEntry(mount, idMap !== undefined)] as const),
    ...limitLines(limits),
    ...(idMap === undefined ? deviceLines() : []),
    ["lxc.console.logfile", consoleLog],
    ["lxc.console.size", String(consoleBytesMax)],
    ["lxc.console.rotate", "1"],
    ["lxc.hook.version", "1"],
    ["lxc.hook.start-host", `${stage}/hook`],
    ["lxc.hook.post-stop", `${stage}/hook`],
  ];
  const text = lines.map(([key, value]) => `${key} = ${oneLine(key, value)}\n`).join("");
  assertOwnNetwork(text);
  return text;
}

/**
 * A container in the node's own network takes the node's address away with its DHCP client, and the node is offline. So no text is
 * handed on that says so, or that says nothing (which means the same), whoever wrote it.
 */
export function assertOwnNetwork(text: string): void {
  const types = [...text.matchAll(/^\s*lxc\.net\.(\d+)\.type\s*=\s*(\S*)\s*$/gm)];
  const isOwn = types.length > 0 && types.every(([, , type]) => type === "veth" || type === "empty");
  if (!isOwn || /^\s*lxc\.(namespace|include|network)\b/m.test(text)) throw new ProviderError("InvalidSpec", "a container must have a network of its own (veth or empty); one in the node's would take the node offline", false);
}

function networkLines(network: ContainerNetwork): (readonly [string, string])[] {
  if (network.kind === "empty") return [["lxc.net.0.type", "empty"], ["lxc.net.0.flags", "up"]];
  const { bridge, veth, address } = network;
  return [
    ["lxc.net.0.type", "veth"],
    ["lxc.net.0.link", bridge],
    ["lxc.net.0.veth.pair", veth],
    ["lxc.net.0.name", "eth0"],
    ["lxc.net.0.flags", "up"],
    ...(address === undefined ? [] : [["lxc.net.0.ipv4.address", `${address.ip}/24`], ["lxc.net.0.ipv4.gateway", address.gateway]] as const),
  ];
}

/** Of cgroup v1 and v2: LXC passes over those that the node does not have. */
function limitLines({ cpus, memoryBytes, pidsMax }: ContainerConfig["limits"]): (readonly [string, string])[] {
  const lines: (readonly [string, string])[] = [];
  if (cpus !== undefined) {
    const quotaUs = Math.max(1000, Math.round(cpus * cpuPeriodUs));
    lines.push(["lxc.cgroup.cpu.cfs_period_us", String(cpuPeriodUs)], ["lxc.cgroup.cpu.cfs_quota_us", String(quotaUs)], ["lxc.cgroup2.cpu.max", `${quotaUs} ${cpuPeriodUs}`]);
  }
  if (memoryBytes !== undefined) lines.push(["lxc.cgroup.memory.limit_in_bytes", String(memoryBytes)], ["lxc.cgroup2.memory.max", String(memoryBytes)]);
  if (pidsMax !== undefined) lines.push(["lxc.cgroup.pids.max", String(pidsMax)], ["lxc.cgroup2.pids.max", String(pidsMax)]);
  return lines;
}

const deviceLines = () => ["cgroup", "cgroup2"].flatMap((version) => [[`lxc.${version}.devices.deny`, "a"] as const, ...devices.map((each) => [`lxc.${version}.devices.allow`, each] as const)]);

/** With ids mapped, files keep the ids that the node's file system has: what root makes inside is root's outside. */
function mountEntry(mount: ContainerMount, mapped: boolean): string {
  if (mount.kind === "tmpfs") return `tmpfs ${inside(mount.target)} tmpfs mode=1777${mount.sizeBytes === undefined ? "" : `,size=${mount.sizeBytes}`},create=dir 0 0`;
  const options = [mapped ? "bind" : "rbind", mount.readOnly ? "ro" : "rw", ...(mapped ? ["idmap=container"] : []), `create=${mount.isFile ? "file" : "dir"}`];
  return `${stage}/m${mount.index} ${inside(mount.target)} none ${options.join(",")} 0 0`;
}

/** As a field of fstab(5), relative to the root file system. */
function inside(target: string): string {
  return target.replace(/^\/+/, "").replace(/[\s\\#]/g, (each) => `\\${each.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function oneLine(key: string, value: string): string {
  if (/[\n\r\0]/.test(value)) throw new ProviderError("InvalidSpec", `${key} cannot hold a line break: ${JSON.stringify(value)}`, false);
  return value;
}
