import { messageOf } from "../../base/errors.ts";
import { untilAborted } from "../../base/until-aborted.ts";
import type { Transport } from "../../transports/transport.ts";
import { instanceId, ProviderError, type InstanceSpec, type Progress } from "../provider.ts";
import { baseImage, type BaseImage } from "./base-image.ts";
import type { GuestWay } from "./guest-way.ts";
import { diskFile, volumeFile } from "./machine-argv.ts";
import { diskBytesDefault, recordOf, type MachineRecord } from "./machine-record.ts";
import type { NodeMachines } from "./node-machines.ts";
import { seedFiles } from "./seed.ts";

const createMsMax = 60_000;

export interface CreateParts {
  readonly transport: Transport;
  readonly machines: NodeMachines;
  readonly way: GuestWay;
}

/** $1 "directory" or "file", then paths: says how the first that is not such a thing is wrong, "missing" or "wrong", and which it is, from 0 on. */
const checkScript = `
kind=$1 at=0; shift
for each; do
  if [ ! -e "$each" ]; then echo "missing $at"; exit; fi
  case $kind in file) [ -f "$each" ];; *) [ -d "$each" ];; esac || { echo "wrong $at"; exit; }
  at=$((at + 1))
done
`;

/**
 * $1 directory of the machine, $2 of what is kept, $3 image or "", $4 its format, $5 bytes of the disk; then for each kept disk: file, bytes, and
 * "ext4" or "raw". Blank disks that are to hold files are formatted here when the node can; else the machine does it.
 */
const disksScript = `
home=$1 work=$2 image=$3 format=$4 bytes=$5; shift 5
umask 077
mkdir -p "$home/seed" "$work" || exit 1
[ -z "$image" ] || { rm -f "$home/disk.qcow2" && qemu-img create -q -f qcow2 -F "$format" -b "$image" "$home/disk.qcow2" "$bytes" >&2 || exit 1; }
while [ $# -ge 3 ]; do
  file=$1 size=$2 kind=$3; shift 3
  if [ ! -f "$file" ]; then
    truncate -s "$size" "$file.new" || exit 1
    if [ "$kind" = ext4 ] && command -v mkfs.ext4 >/dev/null 2>&1; then mkfs.ext4 -q -F -E nodiscard,root_owner=0:0 "$file.new" >&2 || exit 1; fi
    mv -f "$file.new" "$file" || exit 1
  elif [ "$(stat -c %s "$file")" -lt "$size" ]; then truncate -s "$size" "$file" || exit 1
  fi
done
`;

/** Makes the machine's directory and disks; `instance.json` comes last. No-op when there is one. */
export async function createMachine({ transport, machines, way }: CreateParts, spec: InstanceSpec, progress: Progress, signal: AbortSignal): Promise<void> {
  const id = instanceId(spec.owner);
  const found = await machines.find(id, signal);
  if (found?.record !== undefined) return;
  const hostKey = way.makeHostKey();
  const record = recordOf(spec, hostKey.publicKey);
  refuseOddPaths(record);
  await refuseMissing(machines, record, transport.name, signal);
  const places = await machines.places(id);
  const image = spec.image === "" ? undefined : await baseImage({ transport, imagesDir: places.images }, spec, progress, signal);
  const kept = [
    ...record.mounts.flatMap((each) => (each.kind === "volume" ? [[volumeFile(places.work, each.name), String(diskBytesDefault), "ext4"]] : [])),
    ...record.engine.disks.map(({ name, sizeBytes }) => [diskFile(places.work, name), String(sizeBytes), "raw"]),
  ];
  const { code, stderr } = await machines.script(disksScript, [places.home, places.work, image?.file ?? "", image?.format ?? "", String(diskBytesOf(image, record)), ...kept.flat()], { timeoutMs: createMsMax, signal });
  if (code !== 0) throw new ProviderError("CreateFailed", `the disks of ${id} cannot be made: ${stderr.trim().slice(0, 500)}`, true);
  const publicKey = await way.publicKey();
  try {
    for (const [name, text] of Object.entries(seedFiles({ id, record, publicKey, hostPrivateKey: hostKey.privateKey }))) await untilAborted(transport.files.write(`${places.home}/seed/${name}`, text), signal);
    await untilAborted(transport.files.write(`${places.home}/instance.json`, JSON.stringify(record)), signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ProviderError("CreateFailed", `${id} cannot be put on record: ${messageOf(error)}`, true, { cause: error });
  }
}

/** An image does not shrink: what it holds might lie beyond. */
function diskBytesOf(image: BaseImage | undefined, { resources }: MachineRecord): number {
  const least = image?.virtualBytes ?? 0;
  if (resources.diskBytes !== undefined && resources.diskBytes < least) throw new ProviderError("InvalidSpec", `spec.resources.disk is ${resources.diskBytes} bytes, and the image alone has ${least}`, true);
  return Math.max(least, resources.diskBytes ?? diskBytesDefault);
}

function refuseOddPaths({ mounts }: MachineRecord): void {
  // They travel into the machine as fields of a line.
  const odd = mounts.find(({ target }) => /[\t\n]/.test(target));
  if (odd !== undefined) throw new ProviderError("InvalidSpec", `${JSON.stringify(odd.target)} cannot be mounted in a machine: its path holds a tab or a newline`, false);
}

/** A path that the spec names, and where it does. */
interface NamedPath {
  readonly field: string;
  readonly path: string;
}

/** Exported for its test. @throws ProviderError ImageNotFound, MountSourceMissing, InvalidSpec for the first path that is not what it has to be */
export async function refuseMissing(machines: Pick<NodeMachines, "script">, { engine, mounts }: Pick<MachineRecord, "engine" | "mounts">, where: string, signal: AbortSignal): Promise<void> {
  const files = (["kernel", "initrd"] as const).flatMap((name): NamedPath[] => (engine[name] === undefined ? [] : [{ field: `spec.qemu.${name}`, path: engine[name] }]));
  const directories = mounts.flatMap((each, index): NamedPath[] => (each.kind === "bind" ? [{ field: `spec.mounts[${index}].hostPath`, path: each.source }] : []));
  for (const [kind, named] of [["file", files], ["directory", directories]] as const) {
    if (named.length === 0) continue;
    const { stdout } = await machines.script(checkScript, [kind, ...named.map(({ path }) => path)], { signal });
    const [what, at] = stdout.trim().split(" ");
    const found = named[Number(at)];
    if (found === undefined) continue;
    const { field, path } = found;
    if (what === "missing") throw new ProviderError(kind === "file" ? "ImageNotFound" : "MountSourceMissing", `${field}: there is no ${path} on ${where}`, true);
    throw new ProviderError("InvalidSpec", `${field}: ${path} on ${where} is no ${kind}${kind === "directory" ? ": provider qemu shares directories only" : ""}`, true);
  }
}
