import { instanceId, ProviderError, type InstanceSpec, type Progress } from "../provider.ts";
import type { LxcNode } from "./lxc-probe.ts";
import { makeDiskScript, recordScript } from "./create-scripts.ts";
import { ensureImage } from "./lxc-images.ts";
import type { LxcPaths } from "./lxc-paths.ts";
import { recordOfSpec, lxcEngine, type LxcRecord } from "./lxc-record.ts";
import { runScript, type NodeShell } from "./node-shell.ts";

export interface CreateParts {
  readonly shell: NodeShell;
  readonly paths: LxcPaths;
  readonly node: LxcNode;
}

/** An image is copied in it where it cannot be lain under. */
const diskTimeoutMs = 10 * 60_000;
const recordTimeoutMs = 30_000;

/** How each init is asked to halt. Sources: busybox's init/init.c, systemd(1), lxc.container.conf(5). */
const haltSignals: Readonly<Record<string, string>> = { busybox: "SIGUSR1", systemd: "SIGRTMIN+3", other: "SIGPWR" };

/** Makes image, disk and record, in that order. Two at once end in one instance. @throws ImageNotFound, ImagePullFailed, InvalidSpec, MountSourceMissing */
export async function createInstance({ shell, paths, node }: CreateParts, spec: InstanceSpec, progress: Progress, signal: AbortSignal): Promise<void> {
  const id = instanceId(spec.owner);
  const idMap = mapFor(spec, node, shell.transport.name);
  await refuseMissingSources(shell, spec, signal);
  const dir = await ensureImage(shell, paths, { reference: spec.image, checksum: spec.imageChecksum, policy: spec.imagePullPolicy, architecture: node.architecture, idMap }, progress, signal);
  const [disk, init = "other"] = (await runScript(shell, makeDiskScript, [paths.lxcPath, id, dir], { signal, timeoutMs: diskTimeoutMs })).trim().split(" ");
  if (disk === "there") return;
  const record: LxcRecord = {
    ...recordOfSpec(spec), idMap, image: { reference: spec.image, checksum: spec.imageChecksum, dir }, disk: disk === "copy" ? "copy" : "overlay",
    init: { haltSignal: haltSignals[init] ?? "SIGPWR", waits: init === "none" },
  };
  await runScript(shell, recordScript, [paths.lxcPath, id], { signal, timeoutMs: recordTimeoutMs, stdin: `${JSON.stringify(record)}\n` });
}

function mapFor(spec: InstanceSpec, { idMap, answer }: LxcNode, where: string) {
  if (!answer.usable) throw new ProviderError(answer.reason === "Unreachable" ? "EngineUnreachable" : answer.reason, answer.message, true);
  const { privileged } = lxcEngine.parse(spec.engine);
  if (privileged === false && idMap === undefined) throw new ProviderError("InvalidSpec", `spec.lxc.privileged is false, and ${where} has no subordinate ids for root: add root:START:65536 to /etc/subuid and /etc/subgid there`, true);
  return privileged === true ? undefined : idMap;
}

async function refuseMissingSources(shell: NodeShell, spec: InstanceSpec, signal: AbortSignal): Promise<void> {
  const sources = spec.mounts.flatMap((mount, index) => (mount.kind === "bind" ? [String(index), mount.source] : []));
  if (sources.length === 0) return;
  await runScript(shell, `while [ $# -ge 2 ]; do [ -e "$2" ] || no MountSourceMissing "spec.mounts[$1].hostPath: there is no $2 on the node"; shift 2; done`, sources, { signal, timeoutMs: recordTimeoutMs });
}
