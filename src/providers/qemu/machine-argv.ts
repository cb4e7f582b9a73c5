import { cpusDefault, memoryBytesDefault, type MachineRecord } from "./machine-record.ts";

/** How machines are run on a node. */
export type Accelerator = { readonly kind: "kvm"; readonly cpu: string } | { readonly kind: "tcg"; readonly why: string };

/** How a directory of the node gets into a machine. */
export type Sharing = { readonly by: "virtiofs"; readonly program: string } | { readonly by: "9p" };

export interface ArgvParts {
  readonly id: string;
  readonly record: MachineRecord;
  readonly accelerator: Accelerator;
  readonly sharing: Sharing;
  /** Of 127.0.0.1 on the node. */
  readonly sshPort: number;
  readonly ports: MachineRecord["ports"];
  /** Directory on the node that holds the machine's kept disks. */
  readonly workDir: string;
  /** Public key line that is let in. */
  readonly publicKey: string;
}

/** Serial numbers by which a machine's disks are told apart inside. */
export const volumeSerial = (index: number) => `vol${index}`;
export const shareTag = (index: number) => `share${index}`;
export const volumeFile = (workDir: string, name: string) => `${workDir}/volume-${name}.raw`;
export const diskFile = (workDir: string, name: string) => `${workDir}/disk-${name}.raw`;

/** QEMU's names of the disks that can grow. */
export const diskNode = "disk";
export const keptNode = (serial: string) => `kept-${serial}`;

/** A forward's name in QEMU's own words; by its first half it is removed again. */
export const forwardOf = ({ port, nodePort, protocol }: MachineRecord["ports"][number]) => ({ from: `${protocol}:127.0.0.1:${nodePort}`, to: `:${port}` });

/** The command that is the machine, to be run in its directory. Source: qemu(1). */
export function machineArgv({ id, record, accelerator, sharing, sshPort, ports, workDir, publicKey }: ArgvParts): readonly string[] {
  const { engine, resources, mounts } = record;
  const memoryMiB = Math.ceil((resources.memoryBytes ?? memoryBytesDefault) / 1024 ** 2);
  const shares = mounts.filter((each) => each.kind === "bind");
  const isShared = sharing.by === "virtiofs" && shares.length > 0;
  const forwards = [{ from: `tcp:127.0.0.1:${sshPort}`, to: ":22" }, ...ports.map(forwardOf)];
  const volumes = mounts.filter((each) => each.kind === "volume");
  return [
    "qemu-system-x86_64", "-name", id, "-nodefaults", "-no-user-config", "-display", "none",
    // A machine that starts anew inside would be taken for the same start of it.
    "-no-reboot",
    // The firmware waits for ever for a disk that boots; so it starts anew after these milliseconds, and that is an end.
    ...(engine.kernel === undefined ? ["-boot", "reboot-timeout=1000"] : []),
    "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-machine", `${engine.machine === "microvm" ? "microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on" : "q35,vmport=off"}${isShared ? ",memory-backend=memory" : ""}`,
    ...(accelerator.kind === "kvm" ? ["-accel", "kvm", "-cpu", accelerator.cpu] : ["-accel", "tcg", "-cpu", "max"]),
    // A machine has whole processors.
    "-smp", String(Math.max(1, Math.ceil(resources.cpus ?? cpusDefault))),
    "-m", String(memoryMiB),
    ...(isShared ? ["-object", `memory-backend-memfd,id=memory,size=${memoryMiB}M,share=on`] : []),
    // One for questions, one that is held for events: a monitor talks to one at a time.
    "-qmp", "unix:qmp.sock,server=on,wait=off", "-qmp", "unix:events.sock,server=on,wait=off",
    "-chardev", "file,id=console,path=/proc/self/fd/1", "-serial", "chardev:console",
    "-netdev", `user,id=net,${forwards.map(({ from, to }) => `hostfwd=${from}-${to}`).join(",")}`,
    ...device(engine, "virtio-net", { netdev: "net" }),
    ...device(engine, "virtio-rng", {}),
    // By it a kernel that panics says so, which ends the machine: most stand still for ever otherwise.
    ...(engine.machine === "microvm" ? [] : ["-device", JSON.stringify({ driver: "pvpanic" })]),
    ...(record.hasDisk ? [...blockdev(diskNode, { driver: "qcow2", discard: "unmap", file: { driver: "file", filename: "disk.qcow2" } }), ...device(engine, "virtio-blk", { drive: diskNode, serial: "disk" })] : []),
    ...blockdev("seed", { driver: "raw", "read-only": true, file: { driver: "vvfat", dir: "seed", label: "cidata", "read-only": true } }), ...device(engine, "virtio-blk", { drive: "seed", serial: "seed" }),
    ...volumes.flatMap(({ name, readOnly }, i) => kept(engine, volumeSerial(i), volumeFile(workDir, name), readOnly)),
    ...engine.disks.flatMap(({ name }) => kept(engine, name, diskFile(workDir, name), false)),
    ...shares.flatMap(({ source, readOnly }, i) => share(engine, sharing, i, source, readOnly)),
    ...(engine.kernel === undefined ? [] : ["-kernel", engine.kernel, ...(engine.initrd === undefined ? [] : ["-initrd", engine.initrd]), ...commandLine(engine)]),
    // systemd's tmpfiles put it into root's authorized_keys (systemd.system-credentials(7)); a microvm has no such tables.
    ...(engine.machine === "microvm" ? [] : ["-smbios", `type=11,value=io.systemd.credential.binary:ssh.authorized_keys.root=${Buffer.from(`${publicKey}\n`).toString("base64")}`]),
  ];
}

type Engine = MachineRecord["engine"];

const blockdev = (name: string, options: Readonly<Record<string, unknown>>) => ["-blockdev", JSON.stringify({ ...options, "node-name": name })];

/** A microvm knows one way to start anew, a triple fault (QEMU's manual, "microvm"); a kernel that tries others first spins for ever. Who says otherwise is heard. */
function commandLine({ machine, append }: Engine): string[] {
  const words = [...(machine === "microvm" ? ["reboot=t"] : []), ...(append === undefined ? [] : [append])];
  return words.length === 0 ? [] : ["-append", words.join(" ")];
}

/** A microvm has no PCI: its devices are told to the kernel by ACPI. Kernels that read them off their command line are rare: Debian's do not. */
const device = ({ machine }: Engine, driver: string, options: Readonly<Record<string, unknown>>) => ["-device", JSON.stringify({ driver: `${driver}-${machine === "microvm" ? "device" : "pci"}`, ...options })];

function kept(engine: Engine, serial: string, filename: string, readOnly: boolean): string[] {
  const drive = keptNode(serial);
  return [...blockdev(drive, { driver: "raw", "read-only": readOnly, discard: "unmap", file: { driver: "file", filename, "read-only": readOnly } }), ...device(engine, "virtio-blk", { drive, serial })];
}

function share(engine: Engine, sharing: Sharing, index: number, source: string, readOnly: boolean): string[] {
  const tag = shareTag(index);
  if (sharing.by === "virtiofs") return ["-chardev", `socket,id=${tag},path=${tag}.sock`, ...device(engine, "vhost-user-fs", { chardev: tag, tag })];
  return ["-fsdev", `local,id=${tag},path=${source.replaceAll(",", ",,")},security_model=none${readOnly ? ",readonly=on" : ""}`, ...device(engine, "virtio-9p", { fsdev: tag, mount_tag: tag })];
}
