import { ProviderError, type Mount } from "../provider.ts";
import { containerConfig, type ContainerMount, type ContainerNetwork } from "./container-config.ts";
import type { LxcNode } from "./lxc-probe.ts";
import { startEnvironment, startScript } from "./start-scripts.ts";
import { ensureImage } from "./lxc-images.ts";
import { joinNetwork } from "./lxc-network.ts";
import { vethOf, waitingInitPath, type LxcPaths } from "./lxc-paths.ts";
import type { LxcRecord } from "./lxc-record.ts";
import { runScript, type NodeShell } from "./node-shell.ts";

export interface StartParts {
  readonly shell: NodeShell;
  readonly paths: LxcPaths;
  readonly node: () => Promise<LxcNode>;
}

const startTimeoutMs = 90_000;
const lookTimeoutMs = 30_000;

interface StagedMount {
  readonly kind: "bind" | "volume" | "file";
  /** A path, the name of a volume, or of a file of the instance's directory. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** Joins the network, writes the config and starts. @throws StartFailed, MountSourceMissing, NetworkFailed, AddressesExhausted … */
export async function startInstance({ shell, paths, node }: StartParts, id: string, record: LxcRecord, signal: AbortSignal): Promise<void> {
  const { lxcPath, work } = paths;
  const veth = vethOf(lxcPath, id);
  const network = await networkOf(shell, paths, id, record, veth, signal);
  const ip = network.kind === "veth" ? network.address?.ip ?? "" : "";
  const staged: StagedMount[] = [
    { kind: "file", source: "hosts", target: "/etc/hosts", readOnly: false },
    // An init may call itself what its image's file says.
    { kind: "file", source: "hostname", target: "/etc/hostname", readOnly: false },
    // Who gets an address by DHCP gets its resolvers so, too.
    ...(ip === "" ? [] : [{ kind: "file", source: "resolv.conf", target: "/etc/resolv.conf", readOnly: false } as const]),
    ...(record.init.waits ? [{ kind: "file", source: "waiting-init", target: waitingInitPath, readOnly: true } as const] : []),
    ...record.mounts.flatMap((mount) => (mount.kind === "tmpfs" ? [] : [stagedOf(mount)])),
  ];
  const isFile = await filesAmong(shell, staged, signal);
  const mounts: ContainerMount[] = [
    ...staged.map(({ target, readOnly }, index) => ({ kind: "staged", index, target, readOnly, isFile: isFile[index] === true }) as const),
    ...record.mounts.flatMap((mount) => (mount.kind === "tmpfs" ? [{ kind: "tmpfs", target: mount.target, sizeBytes: mount.sizeBytes } as const] : [])),
  ];
  const { cpus, memoryBytes, pidsMax } = record.limits;
  const config = containerConfig({
    hostname: record.hostname, haltSignal: record.init.haltSignal, initCommand: record.init.waits ? `/bin/sh ${waitingInitPath}` : undefined, idMap: record.idMap, network,
    // An address that vendetta gives must not be taken away by a DHCP client that the image brings.
    keepsNetworkAdmin: record.privileged || ip === "", limits: { cpus, memoryBytes, pidsMax }, mounts, consoleLog: `${lxcPath}/${id}/console.log`,
  });
  const argsWith = (image: string) => [lxcPath, id, record.disk, image, record.hostname, record.idMap === undefined ? "rbind" : "bind", veth, ip, `${work}/${id}`, network.kind === "veth" ? network.bridge : "", ...staged.flatMap(({ kind, source, target }) => [kind, source, target])];
  const start = (image: string) => runScript(shell, startScript, argsWith(image), { signal, timeoutMs: startTimeoutMs, env: startEnvironment(config) });
  if ((await start(record.image.dir)).trim() !== "image") return;
  await start(await imageAgain({ shell, paths, node }, record, signal));
}

/** An image that somebody removed is made again. */
async function imageAgain({ shell, paths, node }: StartParts, { image, idMap }: LxcRecord, signal: AbortSignal): Promise<string> {
  const { reference, checksum } = image;
  return ensureImage(shell, paths, { reference, checksum, policy: "IfNotPresent", architecture: (await node()).architecture, idMap }, () => {}, signal);
}

async function networkOf(shell: NodeShell, paths: LxcPaths, id: string, record: LxcRecord, veth: string, signal: AbortSignal): Promise<ContainerNetwork> {
  if (record.network === "empty") return { kind: "empty" };
  if (record.bridge === undefined) return { kind: "veth", bridge: paths.bridge, veth, address: await joinNetwork(shell, paths, id, signal) };
  const script = `[ -e "/sys/class/net/$1/bridge" ] || ip link show "$1" type bridge 2>/dev/null | grep -q . || no NetworkFailed "spec.lxc.bridge: the node has no bridge $1"`;
  await runScript(shell, script, [record.bridge], { signal, timeoutMs: lookTimeoutMs });
  return { kind: "veth", bridge: record.bridge, veth };
}

function stagedOf(mount: Exclude<Mount, { kind: "tmpfs" }> | LxcRecord["mounts"][number]): StagedMount {
  if (mount.kind === "tmpfs") throw new ProviderError("InvalidSpec", `${mount.target} has no source`, false);
  return { kind: mount.kind, source: mount.kind === "bind" ? mount.source : mount.name, target: mount.target, readOnly: mount.readOnly };
}

async function filesAmong(shell: NodeShell, staged: readonly StagedMount[], signal: AbortSignal): Promise<boolean[]> {
  if (!staged.some(({ kind }) => kind === "bind")) return staged.map(({ kind }) => kind === "file");
  const said = await runScript(shell, `for each; do if [ -d "$each" ]; then echo directory; else echo file; fi; done`, staged.map(({ kind, source }) => (kind === "bind" ? source : "/")), { signal, timeoutMs: lookTimeoutMs });
  const lines = said.split("\n");
  return staged.map(({ kind }, index) => kind === "file" || (kind === "bind" && lines[index] === "file"));
}
